"""What the README shows is true: its graph ends a call, its commands and its files are there."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from lastword.hangup.call_end import CallEnd
from tests import PROJECT_ROOT
from tests.fakes.openai_server import fake_openai
from tests.fakes.phone import phone_call

README = (PROJECT_ROOT / "README.md").read_text()


def python_block() -> str:
    blocks: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


async def test_the_readmes_graph_talks_and_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    code = python_block()
    assert len(code.strip().splitlines()) <= 25
    answers = ("Good evening. For when?", "Friday at eight for two, is that right?", "Bye! <end>")
    async with fake_openai(*answers) as openai:
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
        module = ModuleType("booking")
        exec(compile(code, "README.md", "exec"), module.__dict__)  # noqa: S102 - our own README
        async with phone_call(module.graph) as phone:
            await phone.say("Hello.")
            await phone.say("Friday at eight, two people.")
            assert "ending" not in phone.events.names
            await phone.say("Yes. Bye!")
            assert await phone.running == CallEnd("graph", "completed")
            assert [words.strip() for words in phone.spoken()] == [
                "Good evening. For when?",
                "Friday at eight for two, is that right?",
                "Bye!",
            ]
        assert [m["role"] for m in openai.requests[-1]["messages"]] == [
            "system",
            *("user", "assistant") * 2,
            "user",
        ]


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    targets = set(re.findall(r"make ([a-z-]+)", README))
    assert {"call", "test", "talk", "studio", "check"} <= targets
    missing = [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)]
    assert missing == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (PROJECT_ROOT / document).read_text())
    assert [link for link in links if not (PROJECT_ROOT / link).exists()] == []


def test_every_setting_of_the_readme_is_in_the_example_file() -> None:
    example = (PROJECT_ROOT / ".env.example").read_text()
    named = set(re.findall(r"\b((?:LIVEKIT|DEEPGRAM|OPENAI|CARTESIA)_[A-Z_]*KEY)\b", README))
    assert [name for name in named if name not in example] == []


def test_the_map_of_the_house_names_every_room_and_fits_on_one_screen() -> None:
    house = (PROJECT_ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    rooms = {path.parent for path in PROJECT_ROOT.glob("agent/lastword/**/*.py")}
    rooms |= {path.parent for path in PROJECT_ROOT.glob("graphs/**/*.py")}
    assert [room.name for room in rooms if f"{room.name}/" not in house] == []
    assert len(house.splitlines()) <= 45
