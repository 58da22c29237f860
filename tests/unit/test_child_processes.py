"""A process that needs no keys gets none; a caller's ticket lets it do what it has to."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from livekit import api

from lastword.providers.offline.sphinx_stt import DecoderProcess
from lastword.settings import environment_without_keys
from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.stage.caller_voice import flite_voice
from lastword.testing.stage.processes import running_process
from lastword.testing.stage.server_binary import ServerPlaces, build_server
from lastword.testing.stage.stage import MAX_SECONDS, Plan, a_caller, caller_ticket

SECRETS = [
    *("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"),
    *("OPENAI_API_KEY", "DEEPGRAM_API_KEY", "CARTESIA_API_KEY", "LANGSMITH_API_KEY"),
    *("AWS_SECRET_ACCESS_KEY", "GOOGLE_API_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK"),
    *("LASTWORD_GRAPH_MEMORY", "DATABASE_URL", "PGPASSWORD", "PATH_TO_MY_KEY", "path_token"),
    *("PYTHON_KEYRING", "MY_HOME", "XLC_ALL"),
]
SECRET = "top-secret-value"


@pytest.fixture(autouse=True)
def _keys_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")


def test_what_makes_programs_run_is_handed_on_and_nothing_else() -> None:
    environment = environment_without_keys()
    assert not set(SECRETS) & set(environment)
    assert SECRET not in environment.values()
    assert {"PATH", "LC_TIME"} <= set(environment)


def environment_of(pid: int) -> str:
    """The environment of a process, which is empty for a moment while its program is loaded."""
    while not (found := Path(f"/proc/{pid}/environ").read_text()):
        pass
    return found


@asynccontextmanager
async def a_decoder() -> AsyncIterator[Any]:
    decoder = DecoderProcess()
    try:
        yield decoder._process  # noqa: SLF001 - its id
    finally:
        decoder.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("start", [a_caller, a_decoder])
async def test_a_helper_process_has_no_keys(
    start: Callable[[], AbstractAsyncContextManager[Any]],
) -> None:
    async with start() as process:
        environment = environment_of(process.pid)
    assert "PATH=" in environment
    assert SECRET not in environment


async def test_a_process_without_keys_imports_what_this_one_can() -> None:
    command = [sys.executable, "-c", "import livekit.rtc, tests.fakes.tone_voice; print('done')"]
    async with running_process("a reader", command, env=environment_without_keys()) as part:
        assert [line async for line in part.lines()] == ["done"]


def a_program(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{text}")
    path.chmod(0o700)
    return str(path)


KEEP = "open({kept!r}, 'w').write(repr(dict(os.environ)))\n"


def test_a_voice_has_no_keys(tmp_path: Path) -> None:
    kept = tmp_path / "environment"
    sound = "import soundfile; soundfile.write(sys.argv[-1], [0.5] * 99, 8000)"
    flite_voice(a_program(tmp_path / "flite", KEEP.format(kept=str(kept)) + sound), "Hello.")
    assert SECRET not in kept.read_text()


def test_a_build_has_no_keys_but_its_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("GOPROXY", "http://modules")
    kept = tmp_path / "environment"
    go = KEEP.format(kept=str(kept)) + (
        "if sys.argv[1] == 'version': print('go version go9.9.9 linux/amd64')\n"
        "else: open(sys.argv[sys.argv.index('-o') + 1], 'w')"
    )
    a_program(tmp_path / "go", go)
    (tmp_path / "go.mod").write_text("go 1.20\n")
    build_server(lambda _: None, ServerPlaces(None, str(tmp_path), tmp_path, tmp_path / "cache"))
    environment = kept.read_text()
    assert SECRET not in environment
    assert "http://proxy:3128" in environment
    assert "http://modules" in environment


@pytest.mark.parametrize("keys", ["", "12#"])
def test_a_caller_may_speak_and_listen_in_its_room_and_press_the_keys_of_its_plan(
    keys: str,
) -> None:
    plan = Plan([CallerLine("Hello."), CallerLine(does="press", keys=keys)], {"graph": "survey"})
    token = caller_ticket(api.AccessToken("key", "s" * 32), "room-1", plan, "lastword")
    claims = jwt.decode(token, "s" * 32, algorithms=["HS256"])
    assert claims["video"] == {
        "roomJoin": True,
        "room": "room-1",
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canSubscribe": True,
        "canPublishData": bool(keys),
        "canUpdateOwnMetadata": False,
    }
    assert claims["sub"] == "caller"
    [agent] = claims["roomConfig"]["agents"]
    assert json.loads(agent["metadata"]) == {"graph": "survey"}
    lasts = timedelta(seconds=claims["exp"] - claims["nbf"])
    assert timedelta(seconds=MAX_SECONDS) < lasts < timedelta(minutes=10)
