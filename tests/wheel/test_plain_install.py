"""A plain install: every command works, or names the missing extra in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.user_project import UserProject, lastword_from

SERVER = {"LIVEKIT_URL": "ws://127.0.0.1:1", "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"}
KEYS = {"DEEPGRAM_API_KEY": "d", "OPENAI_API_KEY": "o", "CARTESIA_API_KEY": "c"}
WITH_CLOCK = "tests/conversations/noted.yaml"
WITHOUT = "tests/conversations/without_clock.yaml"
AT_A_TERMINAL = "import pty, sys; sys.exit(pty.spawn(['lastword', 'talk']) >> 8)"


@pytest.fixture(scope="module")
def plain(project: UserProject, wheel: Path) -> UserProject:
    """The project with Lastword (without extras) and pytest."""
    project.install(*lastword_from(wheel), "pytest", exact=True)
    return project


@pytest.mark.parametrize(
    ("arguments", "environment", "extras"),
    [
        ("call", {}, "offline"),
        ("talk --audio", {}, "offline"),
        (f"replay {WITH_CLOCK}", {}, "testing"),
        (f"replay {WITHOUT} --level room", {}, "offline"),
        ("worker start", SERVER | {"LASTWORD_PROVIDERS": "offline"}, "offline"),
        ("worker start", SERVER | KEYS, "deepgram,cartesia"),
        ("worker start", {"LASTWORD_GRAPH_MEMORY": "sqlite:///memory.sqlite3"}, "sqlite"),
        ("talk", {"LASTWORD_GRAPH_MEMORY": "postgresql://a:topsecret@db/calls"}, "postgres"),
    ],
)
def test_a_command_that_needs_an_extra_names_it_in_one_sentence(
    plain: UserProject, arguments: str, environment: dict[str, str], extras: str
) -> None:
    ran = plain.run("lastword", *arguments.split(), **environment)
    assert ran.code == 1
    [sentence] = [line for line in ran.printed.splitlines() if line.startswith("lastword: ")]
    assert sentence.endswith(f'needs an extra of Lastword: pip install "lastword[{extras}]"')
    assert "Traceback" not in ran.printed
    assert "topsecret" not in ran.printed


def test_talk_at_a_terminal_needs_an_extra_too(plain: UserProject) -> None:
    binaries = str(plain.folder / ".venv" / "bin")
    ran = plain.run("python", "-c", AT_A_TERMINAL, PATH=binaries)
    assert "lastword talk at a terminal needs an extra of Lastword" in ran.printed
    assert "lastword[testing]" in ran.printed


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ("--version", "lastword 0.1.0"),
        ("check", "1 graph, 2 nodes, no findings."),
        ("talk", "Call ended by graph: noted"),
        (f"replay {WITHOUT} --level session", "As written (level session)."),
        ("worker --help", "start"),
        ("eval ends cases.jsonl --graph desk", "No wrong case of desk"),
    ],
)
def test_commands_that_need_no_extra_work(plain: UserProject, arguments: str, printed: str) -> None:
    ran = plain.run("lastword", *arguments.split(), typed="My name is Anna.\n")
    assert ran.code == 0, ran.printed
    assert printed in ran.printed


def test_pytest_runs_with_the_plugin_and_names_the_extra(plain: UserProject) -> None:
    ran = plain.run("pytest", "-q", "tests/conversations")
    assert "1 failed, 1 passed" in ran.printed
    assert 'pip install "lastword[testing]"' in ran.printed
    assert "Traceback" not in ran.printed


def test_the_judge_names_its_extra(plain: UserProject) -> None:
    ran = plain.run("pytest", "-q", WITHOUT, "--lastword-judge", OPENAI_API_KEY="o")
    assert (
        '--lastword-judge needs an extra of Lastword: pip install "lastword[openai]"' in ran.printed
    )
    assert "Traceback" not in ran.printed


def test_every_public_name_can_be_imported(plain: UserProject) -> None:
    ran = plain.run(
        "python",
        "-c",
        "import lastword, lastword.signals, lastword.testing\n"
        "for one in (lastword, lastword.signals, lastword.testing):\n"
        "    for name in one.__all__:\n"
        "        getattr(one, name)\n",
    )
    assert ran.code == 0, ran.printed


def test_no_provider_packages_are_installed(plain: UserProject) -> None:
    plugins = {path.name for path in (plain.packages / "livekit" / "plugins").iterdir()}
    assert plugins == {"langchain"}
    absent = ("langchain_openai", "langchain", "aiosqlite", "psycopg", "soundfile", "time_machine")
    assert [name for name in absent if (plain.packages / name).exists()] == []
