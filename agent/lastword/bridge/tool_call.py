"""An ending as a call of LiveKit's tool ``end_call``."""

from __future__ import annotations

import json
import logging

from livekit.agents import llm, utils

from lastword.bridge.endings import RecognisedEnding
from lastword.bridge.run_pointer import POINTER_KEY, RunPointer

END_CALL_TOOL = "end_call"

_log = logging.getLogger("lastword.bridge")


def end_call(ending: RecognisedEnding, pointer: RunPointer) -> llm.FunctionToolCall:
    """The tool call that carries ``ending``; the outcome travels in it as JSON."""
    arguments = {
        "reason": ending["reason"],
        "outcome": _json(ending.get("outcome")),
        "source": ending["source"],
    }
    return llm.FunctionToolCall(
        name=END_CALL_TOOL,
        arguments=json.dumps(arguments),
        call_id=utils.shortuuid("end_"),
        extra={POINTER_KEY: pointer},
    )


def _json(outcome: object) -> str:
    """An outcome as JSON; what JSON does not know becomes its text, so that no ending is lost."""
    try:
        return json.dumps(outcome, default=str)
    except (TypeError, ValueError):
        _log.exception("the ending's outcome is no JSON and is left out")
        return "null"
