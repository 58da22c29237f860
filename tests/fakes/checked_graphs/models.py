"""Chat models that raise when they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable
from pydantic import BaseModel


class Meant(BaseModel):
    """What the caller means."""

    intent: str


class NeverAsked(BaseChatModel):
    """A chat model that nobody may ask."""

    @property
    def _llm_type(self) -> str:
        return "never-asked"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise AssertionError("a model was asked")

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools, **kwargs)


def make_chat() -> NeverAsked:
    return NeverAsked()


chat = NeverAsked()
silent = chat.with_config(tags=["nostream"])
formerly_silent = chat.with_config(tags=["langsmith:nostream"])
in_json = chat.bind(response_format={"type": "json_object"})
by_tool = chat.with_structured_output(Meant)
