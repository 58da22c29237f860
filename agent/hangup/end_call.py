"""LiveKit's side of an ending: the tool that the bridge calls in the farewell's own stream.

LiveKit runs a tool only for a speech that is really played, and ties it to that speech; so no
discarded speculative answer gets here, and there is no guess which speech is the farewell.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livekit.agents import AgentSession, RunContext, UserStateChangedEvent, llm
from livekit.agents.voice import SpeechHandle

from agent.bridge.tool_call import END_CALL_TOOL
from agent.journal import CallJournal

SPEAKING_GRACE = 1.5
"""Seconds for the recogniser to make words of a sound that fell into the tail."""
SPEAKING_MAX = 10.0
"""Seconds that a sound without words can hold the hang-up off."""


@dataclass(frozen=True)
class GraphEnding:
    """An ending that was heard to its end: the reason and outcome that the graph gave."""

    reason: str
    outcome: dict[str, Any] | None
    source: str


def end_call_tool(
    journal: CallJournal, tail: float, hang_up: Callable[[GraphEnding], None]
) -> llm.FunctionTool[..., Any]:
    """Make the ``end_call`` tool of one call.

    Args:
        journal: gets the ending and what became of it.
        tail: seconds between the end of the farewell's playout and the hang-up.
        hang_up: called once the farewell has been heard; it is not called for an ending whose
            farewell the caller interrupted.
    """

    @llm.function_tool(name=END_CALL_TOOL, description="The graph has ended the call.")
    async def end_call(ctx: RunContext[Any], reason: str, outcome: str, source: str) -> None:
        ending = GraphEnding(reason, json.loads(outcome), source)
        journal.write("ending", reason=reason, outcome=ending.outcome, source=source)
        speech = ctx.speech_handle
        await ctx.wait_for_playout()
        if not speech.interrupted:
            journal.write("farewell_played")
            await _tail(ctx.session, speech, tail)
        if speech.interrupted:
            journal.write("ending_cancelled", reason=reason)
            return
        hang_up(ending)

    return end_call


async def _tail(session: AgentSession[Any], speech: SpeechHandle, seconds: float) -> None:
    """Wait for the tail, and longer while the caller is speaking; return at an interruption."""
    await _unless_interrupted(speech, asyncio.sleep(seconds))
    if session.user_state == "speaking" and not speech.interrupted:
        await _unless_interrupted(speech, _quiet(session))


async def _quiet(session: AgentSession[Any]) -> None:
    """Wait until the caller is silent and the recogniser has had its time."""
    silent = asyncio.Event()

    def changed(event: UserStateChangedEvent) -> None:
        if event.new_state != "speaking":
            silent.set()

    session.on("user_state_changed", changed)
    try:
        async with asyncio.timeout(SPEAKING_MAX):
            await silent.wait()
            await asyncio.sleep(SPEAKING_GRACE)
    except TimeoutError:
        return
    finally:
        session.off("user_state_changed", changed)


async def _unless_interrupted(speech: SpeechHandle, wait: Any) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wait)
        await speech.wait_if_not_interrupted([waiting])
        waiting.cancel()
