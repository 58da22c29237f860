"""What LangChain's and LangGraph's own objects are made of: functions, models, prompts, tools."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType

from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    RunnableBinding,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.tools import BaseTool
from langgraph.prebuilt import ToolNode


def parts(value: object) -> Iterator[object]:
    """What runs when ``value``, a Runnable, is run; nothing for models and unknown kinds."""
    match value:
        case ToolNode():
            yield from value.tools_by_name.values()
        case BaseTool():
            yield from _functions_of_tool(value)
        case RunnableBinding():
            yield value.bound
        case RunnableSequence():
            yield from value.steps
        case RunnableParallel():
            yield from value.steps__.values()
        case RunnableWithFallbacks():
            yield from value.runnables
        case _:
            # RunnableLambda, and what LangGraph makes of a node; both have the function in here.
            known = vars(value) if hasattr(value, "__dict__") else {}
            yield from known.get("steps") or ()
            yield from [one for one in (known.get("func"), known.get("afunc")) if one][:1]


def _functions_of_tool(tool: BaseTool) -> Iterator[object]:
    known = vars(tool)
    given = [one for one in (known.get("coroutine"), known.get("func")) if one is not None]
    yield from given
    for name in ("_arun", "_run"):
        method = getattr(type(tool), name)
        if not given and isinstance(method, FunctionType):
            yield getattr(tool, name)


def texts(value: object) -> Iterator[str]:
    """The texts of a message or of a prompt, with the places for variables left in."""
    match value:
        case BaseMessage():
            yield value.text
        case ChatPromptTemplate():
            for message in value.messages:
                yield from texts(message)
        case _:
            inner = getattr(value, "prompt", value)
            for one in inner if isinstance(inner, list) else [inner]:
                template = getattr(one, "template", None)
                if isinstance(template, str):
                    yield template
