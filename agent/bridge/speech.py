"""Decide which of the graph's output is spoken, and put it into one stream of words.

Pure code over LangGraph's v2 stream parts: no clock, no loop, no LiveKit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from agent.bridge.endings import EndTokenFilter
from graphs.call_signals import CallPolicy


class SpokenMessage(NamedTuple):
    """Where a message begins in the text of a run: graph message id, offset in characters.

    The id is "" for words that are in no message of the graph.
    """

    message_id: str
    start: int


@dataclass
class SpeechFilter:
    """Everything that one run says, in order.

    Spoken is the text of AI messages: streamed chunks as they come, and whole messages of nodes
    that did not stream, unless the same task has just streamed the same words under another id.
    Not spoken: tool, system and human messages, tool calls, nodes that the policy silences, and
    what LangGraph leaves out because its model carries the ``nostream`` tag.
    """

    policy: CallPolicy
    text: str = ""
    messages: list[SpokenMessage] = field(default_factory=list)
    token_node: str | None = None
    _token: EndTokenFilter = field(init=False)
    _current: str | None = None
    _apart: bool = False
    _streamed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._token = EndTokenFilter(self.policy.end_token)

    def message(self, message: BaseMessage, metadata: Mapping[str, Any]) -> str:
        """Return what to speak for one item of the ``messages`` stream, "" for nothing."""
        node = str(metadata.get("langgraph_node", ""))
        if not isinstance(message, AIMessage) or not self._may_speak(node):
            return ""
        text = message.text
        task = str(metadata.get("langgraph_checkpoint_ns", node))
        if isinstance(message, AIMessageChunk):
            self._streamed[task] = self._streamed.get(task, "") + text
        elif _same_words(self._streamed.get(task, ""), text):
            return ""
        return self._say(text, message.id, node) if text else ""

    def say(self, text: str) -> str:
        """Return what to speak for a ``say`` signal."""
        return self._say(text, None, "")

    def flush(self) -> str:
        """The run is over: return speech that was held back as a possible end token."""
        return self._append(self._token.flush())

    def _may_speak(self, node: str) -> bool:
        if node in self.policy.silent_nodes:
            return False
        return self.policy.spoken_nodes is None or node in self.policy.spoken_nodes

    def _say(self, text: str, message_id: str | None, node: str) -> str:
        out = ""
        if message_id is None or message_id != self._current:
            out = self.flush()
            self._current = message_id
            self._apart = True
            self.messages.append(SpokenMessage(message_id or "", len(self.text)))
        found_before = self._token.found
        out += self._append(self._token.feed(text))
        if self._token.found and not found_before:
            self.token_node = node
        return out

    def _append(self, text: str) -> str:
        """Add speech; the first words of a message do not run into the words before them."""
        if not text:
            return ""
        if self._apart and self.text and not self.text[-1].isspace() and not text[0].isspace():
            text = f" {text}"
        self._apart = False
        self.text += text
        return text


def _same_words(streamed: str, text: str) -> bool:
    """Whether a whole message repeats what was streamed, give or take white space."""
    return bool(streamed) and streamed.split() == text.split()
