"""What of the graph's output is spoken, as one stream of words.

Pure code over LangGraph's v2 stream parts: no clock, no loop, no network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage

from lastword.bridge.bound_graph import GraphTools
from lastword.bridge.endings import EndTokenFilter
from lastword.bridge.observation import ModelCalls
from lastword.bridge.utterance import RepeatFilter, Utterance
from lastword.signals import CallPolicy


class SpokenMessage(NamedTuple):
    """A message of the graph, and the offset in characters where it begins in the run's text.

    ``message_id`` is "" for words that belong to no message of the graph.
    """

    message_id: str
    start: int


@dataclass
class _Said:
    """A message whose first words have been passed on; ``task`` said them."""

    message_id: str
    start: int
    task: str


@dataclass
class SpeechFilter:
    """Everything that one run says, in order.

    Spoken is the text of AI messages: streamed chunks as they come, and whole messages of nodes
    that did not stream, unless the same task has just streamed the same words under another id.
    Not spoken: tool, system and human messages, tool calls, nodes that the policy silences, models
    that carry LangGraph's ``nostream`` tag, and messages that are JSON.

    Messages never run into each other: while one is being spoken, what other nodes stream at the
    same time waits for its end.

    Args:
        policy: names the silent nodes and the end token.
        calls: the models' calls of the run. What a task says again after a failure, in a retry or
            from a fallback model, is spoken only from where it differs.
        tools: the graph's tools.
    """

    policy: CallPolicy
    calls: ModelCalls = field(default_factory=ModelCalls)
    tools: GraphTools = field(default_factory=GraphTools)
    text: str = ""
    token_node: str | None = None
    _token: EndTokenFilter = field(init=False)
    _apart: bool = False
    _queue: list[Utterance] = field(default_factory=list)
    _streamed: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """What each task has streamed, by message id."""
    _said: list[_Said] = field(default_factory=list)
    _repeats: RepeatFilter = field(default_factory=RepeatFilter)
    _begun: Utterance | None = None

    def __post_init__(self) -> None:
        self._token = EndTokenFilter(self.policy.end_token)

    @property
    def messages(self) -> list[SpokenMessage]:
        """Where in ``text`` each message begins."""
        return [SpokenMessage(one.message_id, one.start) for one in self._said]

    def message(
        self, message: BaseMessage, metadata: Mapping[str, Any], *, is_written: bool = False
    ) -> str:
        """Return what to speak for one item of the ``messages`` stream; "" for nothing.

        ``is_written``: the message comes from what the node wrote into the graph's state instead.
        """
        node = str(metadata.get("langgraph_node", ""))
        if isinstance(message, ToolMessage) and message.name in self.tools.direct:
            return self.say(message.text)
        if not isinstance(message, AIMessage) or not self._may_speak(message.id, metadata):
            return ""
        if not is_written and self._nodes(metadata) & self.tools.nodes:
            return ""
        text = message.text
        task = str(metadata.get("langgraph_checkpoint_ns", node))
        over = True
        if isinstance(message, AIMessageChunk):
            streamed = self._streamed[task]
            streamed[message.id or ""] = streamed.get(message.id or "", "") + text
            over = message.chunk_position == "last"
        elif self._was_streamed(task, text, message.id or ""):
            return ""
        utterance = self._find(message.id, task, begins=bool(text), node=node)
        if utterance is None:
            return ""
        utterance.waiting += text
        utterance.over = utterance.over or over
        return self._speak()

    def _was_streamed(self, task: str, text: str, message_id: str) -> bool:
        """Whether ``task`` has streamed this whole message before, as one message or as several.

        If so, the spoken words are attributed to ``message_id``, the id that the graph keeps.
        """
        streamed = self._streamed[task]
        for known, words in streamed.items():
            if _same_words(words, text):
                self._rename(task, [known], message_id)
                streamed[message_id] = streamed.pop(known)
                return True
        if not _same_words("".join(streamed.values()), text):
            return False
        self._rename(task, list(streamed), message_id)
        return True

    def _rename(self, task: str, known: Sequence[str], message_id: str) -> None:
        for waiting in self._queue:
            if waiting.task == task and waiting.message_id in known:
                waiting.message_id = message_id
        said = [one for one in self._said if one.task == task and one.message_id in known]
        for one in said[:1]:
            one.message_id = message_id
        for one in said[1:]:
            self._said.remove(one)

    def say(self, text: str, *, again: bool = False) -> str:
        """Return what to speak for a ``say`` signal; ``again``: a node's retry sent it."""
        if again and self._repeats.was_said(text):
            return ""
        self._repeats.said(text)
        self._queue.append(Utterance(None, "", "", waiting=text, over=True, is_speech=True))
        return self._speak()

    def task_over(self, task_id: str) -> str:
        """A task has ended: its messages get no more text. Return what to speak now."""
        return self._close(lambda utterance: utterance.task.endswith(f":{task_id}"))

    def flush(self) -> str:
        """The run is over: return text that was waiting, or held back as a possible end token."""
        return self._close(lambda _: True) + self._end_message()

    def _may_speak(self, message_id: str | None, metadata: Mapping[str, Any]) -> bool:
        """Whether the policy lets the node speak, and every node whose subgraph it is in.

        LangChain's own middleware calls models for its own use, and marks that with ``lc_source``.
        """
        if metadata.get("lc_source") or metadata.get("lc_internal_call"):
            return False
        nodes = self._nodes(metadata)
        if nodes & self.policy.silent_nodes or self.calls.is_silent(message_id):
            return False
        return self.policy.spoken_nodes is None or bool(nodes & self.policy.spoken_nodes)

    @staticmethod
    def _nodes(metadata: Mapping[str, Any]) -> set[str]:
        """The node that a message comes from, and the nodes whose subgraphs it is in."""
        path = str(metadata.get("langgraph_checkpoint_ns", "")).split("|")
        return {name.partition(":")[0] for name in path} | {str(metadata.get("langgraph_node"))}

    def _find(
        self, message_id: str | None, task: str, *, begins: bool, node: str
    ) -> Utterance | None:
        """The utterance that a chunk belongs to; a new one when the chunk begins a message."""
        for utterance in self._queue:
            if utterance.message_id == message_id and utterance.task == task:
                return utterance
        if not begins:
            return None
        failures = self.calls.failures(task, message_id)
        self._repeats.attempt(task, failures)
        utterance = Utterance(message_id, task, node, failures)
        self._queue.append(utterance)
        return utterance

    def _close(self, which: Callable[[Utterance], bool]) -> str:
        for utterance in self._queue:
            if which(utterance) and not utterance.over:
                utterance.break_off()
        return self._speak()

    def _speak(self) -> str:
        """Return the words of the first utterance, and of the next ones once it is over."""
        out = ""
        while self._queue:
            first = self._queue[0]
            out += self._say(first)
            given_up = len(self._queue) > 1 and self.calls.failures(first.task) > first.failures
            if not (first.over or given_up):
                break
            self._queue.pop(0)
        return out

    def _say(self, utterance: Utterance) -> str:
        new = self._repeats.take(utterance.task, utterance.take())
        out = ""
        if self._begun is not utterance and (new.text or new.repeats):
            out = self._begin(utterance, continues=new.repeats)
        self._apart = self._apart or new.differs
        found_before = self._token.found
        out += self._append(self._token.feed(new.text))
        if self._token.found and not found_before:
            self.token_node = utterance.node
        return out

    def _begin(self, utterance: Utterance, *, continues: bool) -> str:
        """Begin a message, or attribute to it the words of the failed attempt that it repeats."""
        self._begun = utterance
        message_id = utterance.message_id or ""
        before = next((one for one in self._said if one.task == utterance.task), None)
        if continues and before is not None:
            before.message_id = message_id
            return ""
        out = self._end_message()
        self._apart = True
        self._said.append(_Said(message_id, len(self.text), utterance.task))
        return out

    def _end_message(self) -> str:
        return self._append(self._token.flush())

    def _append(self, text: str) -> str:
        """Add ``text``, with a space where a message would run into the one before it."""
        if not text:
            return ""
        if self._apart and self.text and not self.text[-1].isspace() and not text[0].isspace():
            text = f" {text}"
        self._apart = False
        self.text += text
        return text


def _same_words(streamed: str, text: str) -> bool:
    """Whether a whole message has the words that were streamed, apart from white space."""
    return bool(streamed) and streamed.split() == text.split()
