"""One LangGraph server with small test graphs for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests import PROJECT_ROOT
from tests.fakes.langgraph_server import LangGraphServer, langgraph_dev

SERVED = PROJECT_ROOT / "tests" / "fakes" / "served_graphs.json"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def langgraph_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LangGraphServer]:
    """Serves the graphs of ``tests/fakes/served_graphs.py``."""
    async with langgraph_dev(SERVED, tmp_path_factory.mktemp("served")) as server:
        yield server
