"""What is said in the short calls of the hang-up benchmark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

STOCK_AGENT = "stock"
"""What the stock worker is dispatched as."""
GREETING = "Hello."
LINES = (
    "No, that is all. Thank you.",
    "Yes, of course.",
    "Yes, that works for me.",
    "Yes, please do that.",
    "No, you have the wrong number.",
)
"""What the caller says: lines of the bundled scripts, so each is recorded, and such after which
LiveKit's turn detector expects no more."""
FAREWELLS = (
    "Goodbye.",
    "Thank you for calling, and goodbye.",
    "Thank you. We will see you on Monday at ten. Have a nice day, and goodbye.",
)


async def goodbye(metadata: Mapping[str, Any]) -> AsyncIterator[str]:
    """What a model streams in a call of that metadata: it thinks, then says the goodbye.

    ``thinks``: seconds until the first token; ``farewell``: the words.
    """
    await asyncio.sleep(metadata["thinks"])
    for word in metadata["farewell"].split(" "):
        yield f"{word} "
