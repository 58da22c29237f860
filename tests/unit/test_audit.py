"""The audit finds vulnerable dependencies, and says so when nobody could be asked."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from lastword.settings import inherited_environment
from tests import PROJECT_ROOT
from tests.fakes.advisories import Advisories, advisories, silent_server
from tools.audit import NOT_AUDITED, why_unreachable

NOWHERE = "http://127.0.0.1:9"
"""The port that is reserved for throwing away; nothing listens there."""


async def run_audit(*arguments: str) -> tuple[int | None, str]:
    """Exit code and output of ``python -m tools.audit``; uv tries everything once."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.audit", *arguments),
        cwd=PROJECT_ROOT,
        env=inherited_environment() | {"UV_HTTP_RETRIES": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    ("database", "code", "said"),
    [
        (Advisories(), 0, "Found no known vulnerabilities"),
        (Advisories(vulnerable=True), 1, "GHSA-fake"),
        (Advisories(status=502), 0, f"{NOT_AUDITED} (http"),
        (Advisories(status=503), 0, "HTTP 503)"),
        (Advisories(status=404), 2, "404 Not Found"),
        (Advisories(status=500), 2, "500 Internal Server Error"),
        (Advisories(body="<html>Log in to this network</html>"), 2, "error decoding"),
    ],
    ids=str,
)
async def test_the_exit_code_says_what_came_of_the_audit(
    database: Advisories, code: int, said: str, tmp_path: Path
) -> None:
    async with advisories(database, tmp_path) as url:
        ended, output = await run_audit("--service-url", url, "--project", str(tmp_path))
    assert said in output
    assert (ended, NOT_AUDITED in output) == (code, database.status in (502, 503))


async def test_a_database_that_is_not_there_is_said_in_one_line() -> None:
    code, output = await run_audit("--service-url", NOWHERE)
    assert code == 0
    [line] = output.splitlines()
    assert line.startswith(NOT_AUDITED)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--service-url", "no url"],
        ["--no-such-option"],
        ["--project", "no/such/folder"],
    ],
    ids=str,
)
async def test_a_wrong_call_fails(arguments: list[str], tmp_path: Path) -> None:
    async with advisories(Advisories(), tmp_path) as url:
        code, output = await run_audit("--service-url", url, *arguments)
    assert code not in (0, None)
    assert NOT_AUDITED not in output


async def test_a_project_without_a_lock_fails(tmp_path: Path) -> None:
    async with advisories(Advisories(), tmp_path) as url:
        (tmp_path / "uv.lock").unlink()
        code, output = await run_audit("--service-url", url, "--project", str(tmp_path))
    assert code not in (0, None)
    assert NOT_AUDITED not in output


async def test_a_connection_without_trust_is_no_lack_of_a_network(tmp_path: Path) -> None:
    async with advisories(Advisories(), tmp_path) as url:
        tls = url.replace("http:", "https:")
        code, output = await run_audit("--service-url", tls, "--project", str(tmp_path))
    assert code not in (0, None)
    assert NOT_AUDITED not in output


async def test_a_server_that_never_answers_is_not_waited_for() -> None:
    async with silent_server() as url:
        assert await asyncio.to_thread(why_unreachable, url, 0.2) == "timed out"
