"""What docs/conversations.md shows and counts is there."""

from __future__ import annotations

import re
from pathlib import Path

from lastword.graphs_config import load_graph
from lastword.testing.project_under_test import read_project_under_test
from lastword.testing.replay import Manner, run_transcript
from lastword.testing.transcripts.transcript import STEPS, AtMost, Ended, ModelAnswer, Transcript
from lastword.testing.transcripts.transcript_file import read_transcript
from tests import PROJECT_ROOT
from tests.fakes.bugs import BUGS

PAGE = (PROJECT_ROOT / "docs" / "conversations.md").read_text()
FILES = sorted((PROJECT_ROOT / "tests" / "conversations").glob("*/*.yaml"))
SHOWN = PROJECT_ROOT / "tests/conversations/appointment/cancels-then-changes-mind.yaml"


def blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_conversation_on_the_page_is_one_of_the_tests() -> None:
    assert blocks()[0] == SHOWN.read_text()


def test_the_turns_about_models_on_the_page_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "splendid.yaml"
    path.write_text("turns:\n" + blocks()[1])
    assert len(read_transcript(path).turns) == 4


def test_every_field_of_the_format_is_on_the_page() -> None:
    parts = (Transcript, *STEPS.values(), Ended, AtMost, ModelAnswer)
    known = {name for part in parts for name in part.model_fields}
    own = {"path", "ended_line", "line", "interrupted"}
    named = r"`{0}\b|[{{ ]{0}:"
    assert [one for one in sorted(known - own) if not re.search(named.format(one), PAGE)] == []


def test_the_numbers_on_the_page_are_those_of_the_tests() -> None:
    recorded = [file for file in FILES if not file.name.endswith(".cassette.yaml")]
    assert f"the {len(recorded)} conversations here" in PAGE
    assert f"puts {len(BUGS)} bugs into a copy" in PAGE
    assert f"All {len(BUGS)} fail" in PAGE


def test_each_sample_graph_has_at_least_22_conversations_and_some_to_be_heard() -> None:
    transcripts = [read_transcript(file) for file in FILES]
    for name in ("appointment", "reception", "survey"):
        of_graph = [one for one in transcripts if one.graph == name]
        assert len(of_graph) >= 22
        assert any("aloud" in one.marks for one in of_graph)
        assert all(one.clock is not None and one.title for one in of_graph)


async def test_the_conversation_in_the_readme_goes_as_it_is_written(tmp_path: Path) -> None:
    readme = (PROJECT_ROOT / "README.md").read_text()
    [block] = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    path = tmp_path / "readme.yaml"
    path.write_text(block)
    transcript = read_transcript(path)
    config = PROJECT_ROOT / "langgraph.json"
    graph = load_graph(transcript.graph or "", config)
    done = await run_transcript(transcript, graph, Manner(project=read_project_under_test(config)))
    assert done.faults == []
    assert f"{len(FILES)} conversations in" in readme
