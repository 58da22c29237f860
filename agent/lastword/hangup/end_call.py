"""The tool by which the bridge reports an ending to LiveKit, in the stream of the farewell.

LiveKit runs a tool only for a speech that it plays, and passes the speech to the tool. So a
discarded preemptive answer ends nothing, and it is certain which speech is the farewell.
"""

from __future__ import annotations

import json
from typing import Any

from livekit.agents import RunContext, llm

from lastword.bridge.endings import END_CALL_TOOL
from lastword.events import EndedBy
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closing import Closing
from lastword.hangup.farewell_guard import follow, guarded
from lastword.hangup.playout import Playout
from lastword.signals import CallPolicy


def end_call_tool(
    closing: Closing, policy: CallPolicy, playout: Playout
) -> llm.FunctionTool[..., Any]:
    """Create the ``end_call`` tool of one call.

    Args:
        closing: receives the ending and its farewell.
        policy: decides what the caller's speech over the farewell does.
        playout: reports whether the farewell had sound.
    """

    @llm.function_tool(name=END_CALL_TOOL, description="The graph has ended the call.")
    async def end_call(ctx: RunContext[Any], reason: str, outcome: str, source: str) -> None:
        ended_by: EndedBy = "error" if source == "failure" else "graph"
        farewell = closing.begin_farewell(CallEnd(ended_by, reason, json.loads(outcome)), source)
        if farewell is not None:
            speech, stopped_by = ctx.speech_handle, policy.farewell_interruption
            if stopped_by != "any" and not speech.interrupted:
                ctx.disallow_interruptions()
            with guarded(ctx.session, speech, farewell, policy, stopped_by):
                await follow(ctx.session, speech, farewell, ctx.wait_for_playout(), playout)

    return end_call
