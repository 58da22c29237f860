"""The same graphs, by the same names, run in LangGraph's own server (Studio's back end)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from lastword.signals import END_TOKEN, is_end_call
from lastword.testing.transcripts.transcript_file import read_transcript
from tests import PROJECT_ROOT
from tests.fakes.langgraph_server import langgraph_dev

OPENING: dict[str, Any] = {"messages": [], "event": {"kind": "opening"}, "ending": None}


async def turn(client: LangGraphClient, thread: str, graph: str, given: Any) -> list[Any]:
    """Run one turn; returns the custom events of its stream."""
    return [
        part.data
        async for part in client.runs.stream(
            thread, graph, input=given, stream_mode=["custom", "updates"]
        )
        if part.event == "custom"
    ]


def ended(values: dict[str, Any], events: list[Any]) -> bool:
    """Recognise an ending as the bridge does: by node channel, signal, or token."""
    return (
        bool(values.get("ending"))
        or any(is_end_call(event) for event in events)
        or END_TOKEN in str(values["messages"][-1]["content"])
    )


@pytest.mark.timeout(180)
async def test_p12_each_graph_holds_its_conversation_to_the_end_in_langgraph_dev(
    tmp_path: Path,
) -> None:
    config = PROJECT_ROOT / "langgraph.json"
    async with langgraph_dev(config, tmp_path) as server, get_client(url=server.url) as client:
        for graph in ("appointment", "reception", "survey"):
            script = read_transcript(PROJECT_ROOT / f"graphs/callers/{graph}.yaml")
            thread = (await client.threads.create())["thread_id"]
            given: list[Any] = [OPENING]
            given += [
                {"messages": [{"role": "human", "content": words}], "event": None, "ending": None}
                for words in script.caller_lines
            ]
            over = []
            for turn_input in given:
                events = await turn(client, thread, graph, turn_input)
                state = await client.threads.get_state(thread)
                values = state["values"]
                assert isinstance(values, dict)
                over.append(ended(values, events))
            assert over == [False] * (len(given) - 1) + [True], graph
