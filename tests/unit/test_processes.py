"""A process of a rehearsed call that failed is quoted with what it last said."""

from __future__ import annotations

import sys

import pytest
from livekit.agents.cli.log import JsonFormatter

from lastword.errors import CallFailed
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


async def test_a_line_that_is_too_long_is_a_failure_that_names_the_process() -> None:
    command = [sys.executable, "-c", "print('x' * 2**21)"]
    async with running_process("the worker", command, env=inherited_environment()) as process:
        with pytest.raises(CallFailed, match="the worker wrote a line of more than 1048576 bytes"):
            async for _ in process.lines():
                pass
