"""A user's LiveKit worker that uses only the adapter of Lastword; prints what it sees.

Run as ``python -m tests.fakes.plain_worker start``. LiveKit's settings are in the environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.agents.voice import room_io

from lastword.bridge import GraphLLM

server = AgentServer(port=0, host="127.0.0.1", load_fnc=lambda: 0.0, num_idle_processes=1)


async def talk(state: MessagesState) -> dict[str, Any]:
    said = state["messages"][-1].text
    if said == "bye":
        return {"messages": [AIMessage("Goodbye.<end>")]}
    return {"messages": [AIMessage(f"You said {said}.")]}


def tell(**facts: Any) -> None:
    sys.stdout.write(f"{json.dumps(facts)}\n")  # in one write: another process writes there too
    sys.stdout.flush()


@server.on("worker_registered")
def registered(*_: object) -> None:
    tell(registered=True)


@server.rtc_session(agent_name="plain")
async def answer(ctx: JobContext) -> None:
    graph = StateGraph(MessagesState).add_node("talk", talk).add_edge(START, "talk").compile()
    graph_llm = GraphLLM(graph)
    session: AgentSession[None] = AgentSession(llm=graph_llm)
    session.on("conversation_item_added", lambda event: tell(item=event.item.text_content))

    def ended(ending: dict[str, Any]) -> None:
        tell(ending=ending, followed=graph_llm.thread.session is session)
        ctx.delete_room()

    graph_llm.on("ending", ended)
    options = room_io.RoomOptions(audio_input=False, audio_output=False)
    await session.start(Agent(instructions=""), room=ctx.room, room_options=options)
    await ctx.connect()
    tell(ready=True)


if __name__ == "__main__":
    cli.run_app(server)
