"""The words of the short calls of the hang-up benchmark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

STOCK_AGENT = "stock"
"""The agent name of the stock worker."""
GREETING = "Hello."
LINES = (
    "No, that is all. Thank you.",
    "Yes, of course.",
    "Yes, that works for me.",
    "Yes, please do that.",
    "No, you have the wrong number.",
)
"""What the caller says. The lines are from the bundled scripts, so each has a recording, and
LiveKit's turn detector expects nothing more after them."""
FAREWELLS = (
    "Goodbye.",
    "Thank you for calling, and goodbye.",
    "Thank you. We will see you on Monday at ten. Have a nice day, and goodbye.",
)


async def goodbye(metadata: Mapping[str, Any]) -> AsyncIterator[str]:
    """Wait ``metadata["thinks"]`` seconds, then stream the words of ``metadata["farewell"]``."""
    await asyncio.sleep(metadata["thinks"])
    for word in metadata["farewell"].split(" "):
        yield f"{word} "
