"""Whole calls in a real room: real server, worker and audio, and a simulated caller."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import yaml

from lastword.memory.graph_memory import open_memory
from lastword.memory.memory_url import read_memory_url
from lastword.settings import Settings, inherited_environment
from lastword.testing.stage.livekit_server import LocalServer
from lastword.testing.stage.processes import StageProcess, running_process
from lastword.testing.stage.stage import Stage, a_caller, stage
from lastword.testing.stage.verdict import Verdict
from lastword.tools.rehearsal.command import Rehearsal, read_plan
from tests import PROJECT_ROOT
from tests.fakes.postgres import LocalPostgres
from tests.fakes.standstill import on_a_steady_machine

CALLS = {
    "appointment-wrong-person": "wrong_person",
    "appointment-cancel": "cancelled",
    "reception": "completed",
    "survey-decline": "declined",
}
"""The graph's reason, by caller script; together they cover every graph and kind of ending."""
SCRIPT = PROJECT_ROOT / "graphs" / "callers" / "appointment.yaml"
TAIL = 0.5
EXACT = 0.1
"""Seconds by which the line's time after the farewell may differ from the tail (P1)."""


def faults(name: str, verdict: Verdict, reason: str) -> list[str]:
    """What is wrong with a call, one sentence each; empty if nothing is."""
    farewell = verdict.farewell
    checks = {
        f"ended by {verdict.ended_by}": verdict.ended_by == "graph",
        f"reason {verdict.reason}": verdict.reason == reason,
        f"heard of the farewell: {farewell}": farewell is not None and farewell.lost_s == 0,
        f"line gone after {verdict.line_gone_after}": verdict.line_gone_after is not None
        and abs(verdict.line_gone_after - TAIL) <= EXACT,
        "room left": not verdict.room_left,
    }
    return [f"{name}: {what}" for what, good in checks.items() if not good]


async def called(on_stage: Stage, settings: Settings, script: str, reason: str) -> Verdict:
    """Run a call with a caller script."""
    return await on_a_steady_machine(
        lambda: on_stage.call(read_plan(Rehearsal(settings, script=script))),
        lambda verdict: not faults(script, verdict, reason),
    )


def nodes_of(verdict: Verdict) -> list[str]:
    """The nodes that ran in the call, from its transcript."""
    turns = yaml.safe_load(verdict.transcript.read_text())["turns"]
    return [node for turn in turns for node in turn.get("nodes", [])]


@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_p1_p2_p12_graphs_end_real_calls_and_every_farewell_is_heard_whole(
    tmp_path: Path,
) -> None:
    settings = Settings(providers="offline", calls_dir=tmp_path)
    found: list[str] = []
    nodes: dict[str, list[str]] = {}
    before = psutil.Process().children(recursive=True)
    async with stage(settings, report=sys.stderr.write, closing_tone=True) as on_stage:
        for script, reason in CALLS.items():
            verdict = await called(on_stage, settings, script, reason)
            found += faults(script, verdict, reason)
            assert verdict.recording.stat().st_size > 48_000
            nodes[script] = nodes_of(verdict)
    assert found == []
    assert nodes["appointment-cancel"] != nodes["appointment-wrong-person"], (
        "the caller's words choose the nodes"
    )
    assert nodes["appointment-cancel"][-1] == nodes["appointment-wrong-person"][-1] == "end"
    assert psutil.Process().children(recursive=True) == before


@pytest.mark.alone
async def test_p5_a_real_call_is_stored_in_postgresql_and_ends_on_time(
    tmp_path: Path, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()
    monkeypatch.setenv("LASTWORD_GRAPH_MEMORY", url)
    settings = Settings(providers="offline", calls_dir=tmp_path)
    async with stage(settings, report=sys.stderr.write, closing_tone=True) as on_stage:
        verdict = await called(on_stage, settings, "survey-decline", "declined")
    assert faults("survey-decline", verdict, "declined") == []
    left = await asyncio.to_thread(postgres.end_connections, url)
    assert left == 0, "connections that were not closed"
    async with open_memory(read_memory_url(url)) as memory:
        threads = {found.config["configurable"]["thread_id"] async for found in memory.alist(None)}
    calls = [call.name for call in verdict.transcript.parent.parent.iterdir()]
    assert [thread.partition("/")[0] for thread in threads] == calls


async def lastword_call(part: StageProcess) -> str:
    return "\n".join([line async for line in part.lines()])


INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts a Python that handles SIGINT; shells make background processes ignore it."""


def call_command(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-c", INTERRUPTIBLE, "-m", "lastword", "call", *arguments]


@pytest.mark.alone
async def test_the_deployed_worker_reads_an_env_file_and_takes_calls(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PROJECT_ROOT / "langgraph.json"
    values = server.environment | {
        "LASTWORD_GRAPHS_CONFIG": str(config),
        "LASTWORD_HEALTH_PORT": "0",
        "LASTWORD_MAX_CALLS": "1",
        "LASTWORD_SPEECH_DIR": str(tmp_path / "speech"),
        "LASTWORD_CLOSING_TONE": "true",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    monkeypatch.chdir(tmp_path)
    settings = Settings(providers="offline", calls_dir=tmp_path, graphs_config=config)
    command = [sys.executable, "-m", "lastword", "worker", "start", "--drain-timeout", "2"]
    env = inherited_environment() | {"PYTHONPATH": str(PROJECT_ROOT)}
    async with running_process("the worker", command, env=env) as worker, a_caller() as caller:
        registered = asyncio.Event()
        on_stage = Stage(server, worker, settings, tmp_path / "speech", caller)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(on_stage.read_worker(registered))
            await registered.wait()
            verdict = await called(on_stage, settings, "survey-decline", "declined")
            reading.cancel()
    assert faults("survey-decline", verdict, "declined") == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_stopping_a_call_leaves_no_process_behind(
    how: signal.Signals, tmp_path: Path
) -> None:
    env = inherited_environment() | {"LASTWORD_CALLS_DIR": str(tmp_path)}
    async with running_process("lastword call", call_command(), env=env) as part:
        async for line in part.lines():
            if "dialled in" in line:
                break
        started = psutil.Process(part.pid).children(recursive=True)
        assert len(started) >= 3, "server, worker and caller"
        os.kill(part.pid, how)
        assert await part.exit_code() != 0
        gone, left = await asyncio.to_thread(psutil.wait_procs, started, timeout=10)
    assert left == []
    assert len(gone) == len(started)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("livekit-server", "livekit-server has exited"),
        ("lastword.testing.stage.worker_process", "the worker stopped"),
        ("lastword.testing.stage.caller", "the caller failed; its last lines:"),
    ],
)
async def test_a_process_that_fails_is_named(command: str, sentence: str, tmp_path: Path) -> None:
    env = inherited_environment() | {"LASTWORD_CALLS_DIR": str(tmp_path)}
    said: list[str] = []
    async with running_process("lastword call", call_command(), env=env) as part:
        async for line in part.lines():
            said.append(line)
            if "dialled in" in line:
                children = psutil.Process(part.pid).children()
                victim = next(c for c in children if command in " ".join(c.cmdline()))
                victim.kill()
        assert await part.exit_code() == 1
    assert f"lastword: {sentence}" in "\n".join(said)
    assert "Traceback" not in "\n".join(said)


async def test_a_port_in_use_is_reported_in_one_sentence(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running_process("lastword call", call_command("--port", str(port))) as part:
        said = await lastword_call(part)
        assert await part.exit_code() == 1
    assert f"lastword: port {port} on 127.0.0.1 cannot be used" in said
    assert "Traceback" not in said


async def test_a_worker_that_cannot_start_is_named(tmp_path: Path) -> None:
    config = tmp_path / "langgraph.json"
    config.write_text('{"graphs": {"appointment": "no.such:graph"}}')
    env = inherited_environment() | {"LASTWORD_GRAPHS_CONFIG": str(config)}
    async with running_process(
        "lastword call", call_command("--script", str(SCRIPT)), env=env
    ) as part:
        said = await lastword_call(part)
        assert await part.exit_code() == 1
    assert "lastword: the worker stopped" in said
    assert "graph 'appointment' (no.such:graph) does not load" in said
