"""Time on the speaking path is holy: a test in which our code blocks the event loop fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    with blockbuster_ctx(["agent", "graphs"]):
        yield
