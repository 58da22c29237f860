"""The bundled caller scripts, held with the sample graphs as typed lines: each ends as it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from langgraph.checkpoint.memory import InMemorySaver
from livekit.agents.llm import ChatContext, function_tool

from graphs.store import PracticeContext
from lastword.bridge import GraphLLM
from lastword.graphs_config import load_all
from lastword.testing.transcripts.transcript import Transcript
from lastword.testing.transcripts.transcript_file import read_transcript
from tests import PROJECT_ROOT

GRAPHS = load_all(PROJECT_ROOT / "langgraph.json")
PATHS = sorted((PROJECT_ROOT / "graphs/callers").glob("*.yaml"))
SCRIPTS = [(read_transcript(path), yaml.safe_load(path.read_text())["ended"]) for path in PATHS]


@function_tool(name="end_call", description="stands for the call's own tool")
async def end_call(reason: str, outcome: str, source: str) -> None:
    raise AssertionError(f"nobody runs the tool here: {reason} {outcome} {source}")


@pytest.mark.parametrize(("script", "ended"), SCRIPTS, ids=[path.stem for path in PATHS])
async def test_p2_a_sample_call_ends_as_its_script_says_with_a_farewell(
    script: Transcript, ended: dict[str, str], tmp_path: Path
) -> None:
    graph = GRAPHS[script.graph or ""]
    context = PracticeContext(
        call_id="call", store_path=str(tmp_path / "store.sqlite3"), metadata=script.metadata
    )
    memory = graph.graph.copy({"checkpointer": InMemorySaver()})
    graph_llm = GraphLLM(memory, policy=graph.policy, context=context)
    history, endings = ChatContext.empty(), []
    for line in [None, *script.caller_lines]:
        if line is not None:
            history.add_message(role="user", content=line)
        answer = await graph_llm.chat(chat_ctx=history, tools=[end_call]).collect()
        assert answer.text, f"{line!r} has an answer"
        history.add_message(role="assistant", content=answer.text, extra=answer.extra)
        endings += [json.loads(call.arguments)["reason"] for call in answer.tool_calls]
    assert endings == [ended["reason"]]
