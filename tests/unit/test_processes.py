"""A process of a rehearsed call that failed is quoted with what it last said."""

from __future__ import annotations

import sys

import pytest
from livekit.agents.cli.log import JsonFormatter

from lastword.events import log_event
from lastword.settings import inherited_environment
from lastword.testing.stage.processes import running_process
from tests.fakes.an_event import an_event


async def test_a_refused_call_is_quoted_with_what_is_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_event(an_event("call_refused", error="there is no graph 'x'"))
    line = JsonFormatter().format(caplog.records[0])
    command = [sys.executable, "-c", f"print({line!r})"]
    async with running_process("the worker", command, env=inherited_environment()) as part:
        async for _ in part.lines():
            pass
        failure = part.failed("stopped")
    assert "ERROR a call was refused: there is no graph 'x'" in str(failure)
