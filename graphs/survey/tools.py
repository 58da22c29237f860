"""The survey's tool."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.prebuilt import ToolRuntime
from langgraph.types import Command

from graphs.store import PracticeContext, call_store
from graphs.survey.state import Question, SurveyState
from lastword.signals import turn_certain


@tool
async def record_answer(
    question: Question, answer: str, runtime: ToolRuntime[PracticeContext, SurveyState]
) -> Command[Any]:
    """Record the caller's answer to one question; a second answer replaces the first.

    Args:
        question: which of the three.
        answer: rating: a digit from 1 to 5; improvement: the caller's words; contact: yes or no.
        runtime: given by LangGraph.
    """
    configurable = runtime.config.get("configurable", {})
    call_id = (runtime.context or {}).get("call_id") or configurable.get("thread_id") or "unknown"
    await turn_certain()
    await call_store(runtime.context).record_answer(call_id, question, answer)
    done = ToolMessage(f"{question} recorded", tool_call_id=runtime.tool_call_id or "")
    return Command(update={"answers": {question: answer}, "messages": [done]})


TOOLS = (record_answer,)
