"""What one run of the graph says and decides, read from LangGraph's stream.

Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages

from lastword.bridge.bound_graph import GraphTools, Part, writes_to
from lastword.bridge.chat_items import PointedEnding, Question, RunPointer
from lastword.bridge.endings import EndingWatch, RecognisedEnding
from lastword.bridge.observation import ModelCalls
from lastword.bridge.questions import asked_questions
from lastword.bridge.spoken import SpeechFilter
from lastword.bridge.turn import Turn
from lastword.signals import CallPolicy, is_say


@dataclass(frozen=True)
class AnswerRules:
    """How the graph's output is read, the same for every turn of a call.

    ``policy``: how endings are recognised and what is spoken. ``modes``: which of LangGraph's
    streams "messages" and "custom" are spoken. ``subgraphs``: whether subgraphs are spoken.
    """

    policy: CallPolicy
    modes: Set[str]
    subgraphs: bool


class Answer:
    """The answer to one turn, as far as the graph has got.

    Every method that takes something in returns the words that may be spoken now.

    Args:
        turn: what is answered.
        rules: how the graph's output is read.
        calls: the models' calls of the run.
        tools: the graph's tools.
    """

    def __init__(
        self, turn: Turn, rules: AnswerRules, *, calls: ModelCalls, tools: GraphTools
    ) -> None:
        self.broken_nodes: list[str] = []
        self.questions: list[Question] = []
        self._turn = turn
        self._policy = rules.policy
        self._modes = rules.modes
        self._subgraphs = rules.subgraphs
        self._tools = tools
        self._speech = SpeechFilter(rules.policy, calls=calls, tools=tools)
        self._watch = EndingWatch(rules.policy)
        self._checkpoint_id: str | None = None
        self._before_end: str | None = None
        self._nodes: list[str] = []
        self._running: set[str] = set()
        self._of_subgraphs: set[str] = set()
        self._failures = 0
        self._finished = False

    @property
    def ending(self) -> RecognisedEnding | None:
        """The ending that the answer carries so far."""
        return self._watch.ending

    @property
    def has_advanced(self) -> bool:
        """Whether the graph has left the state that the turn began with."""
        return self._checkpoint_id is not None or bool(self.questions)

    @property
    def is_over(self) -> bool:
        """Whether the end node has finished, and no node beside it is still running."""
        return self._watch.end_node_finished and not self._running and not self.questions

    @property
    def is_missing(self) -> bool:
        """Whether the policy requires an answer to the caller, and there is none at all."""
        expected = self._policy.must_answer and bool(self._turn.words)
        said = self._speech.text or self.ending is not None or self.questions
        return expected and not said

    @property
    def pointer(self) -> RunPointer:
        """The run's pointer as it stands now."""
        asked_at = self._turn.checkpoint_id if self.questions else None
        pointer = RunPointer(
            checkpoint_id=self._checkpoint_id or asked_at,
            spoken=[(part.message_id, part.start) for part in self._speech.messages],
            told=self._turn.told,
            nodes=list(self._nodes),
            failures=self._failures,
        )
        if self.questions:
            pointer["questions"] = list(self.questions)
        if self._turn.assumed:
            pointer["assumed"] = self._turn.assumed
        if self._finished and not self.questions and self.ending is None:
            pointer["finished"] = True
        if self.ending is not None:
            pointer["ending"] = PointedEnding(
                reason=self.ending["reason"],
                farewell=self._speech.text,
                before=self._before_end if self.ending["source"] == "node" else None,
            )
        return pointer

    @property
    def pointer_key(self) -> tuple[object, ...]:
        """A value that changes whenever the pointer in the chat history has to be replaced."""
        messages = tuple(self._speech.messages)
        return self._checkpoint_id, messages, len(self.questions), self._failures

    def take(self, part: Part) -> str:
        """Take one item of the graph's stream."""
        match part["type"]:
            case "messages":
                message, metadata = part["data"]
                if "messages" not in self._modes:
                    return ""
                if part["ns"] and not self._subgraphs:
                    if message.id is not None:
                        self._of_subgraphs.add(message.id)
                    return ""
                return self._note_token(self._speech.message(message, metadata))
            case "tasks":
                return self._take_task(cast("Mapping[str, Any]", part["data"]), part["ns"])
            case "custom":
                return self._take_custom(part["data"])
            case "checkpoints" if not part["ns"]:
                self._take_checkpoint(part["data"])
        return ""

    def ask_again(self, *, is_taken: bool = False) -> str:
        """The turn has no answer to the open question, so the question is spoken once more.

        ``is_taken``: another run is answering it, so the caller is asked to wait instead. This run
        leaves no checkpoint, so the next turn returns to the question with everything said since.
        """
        words = "" if is_taken else self._turn.questions[0]["words"]
        return self._speech.say(words or self._policy.still_waiting)

    def finish(self) -> str:
        """The run is over."""
        self._finished = True
        words = self._note_token(self._speech.flush())
        if self.questions and not self._speech.text:
            words += self._speech.say(self._policy.still_waiting)
        return words

    def fail(self) -> str:
        """The run has failed: apologise; after too many failures in a row, end the call.

        An ending that the graph decided before it failed stands, unless it came from an end node
        that did not finish. Failures are counted in the chat history, so those of discarded runs
        do not count.
        """
        self._watch.saw_failure()
        self._failures = self._turn.failures + 1
        self._finished = True
        words = self._note_token(self._speech.flush())
        if self.ending is not None:
            return words
        if self._failures < self._policy.max_failures:
            return words + self._speech.say(self._policy.apology)
        self._watch.saw_too_many_failures()
        return words + self._speech.say(self._policy.failure_farewell)

    def _take_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        checkpoint_id = checkpoint["config"].get("configurable", {}).get("checkpoint_id")
        if checkpoint_id is not None and checkpoint_id != self._turn.checkpoint_id:
            self._checkpoint_id = checkpoint_id
            self.questions = []

    def _take_task(self, task: Mapping[str, Any], ns: tuple[str, ...]) -> str:
        """A node begins, finishes, fails, or asks a question."""
        if "input" in task:
            if not ns and not self._running:
                self._watch.saw_step()
            self._running.add(task["id"])
            self._saw_node(task["name"], ns)
            return ""
        self._running.discard(task["id"])
        words = self._note_token(self._speech.task_over(task["id"]))
        if task["interrupts"]:
            return words + self._take_interrupts(task, ns)
        if task["error"] is not None:
            self.broken_nodes.append(task["name"])
            return words
        self._nodes.append(task["name"])
        self._watch.saw_result(task["name"], task["result"], is_root=not ns)
        words += self._take_written(task, ns)
        return words if ns else words + self._take_from_subgraph(task)

    def _take_written(self, task: Mapping[str, Any], ns: tuple[str, ...]) -> str:
        """Speak messages that the node has written and LangGraph has not streamed.

        These are messages as dictionaries or pairs, and the messages of a node that runs tools.
        """
        if ns and not self._subgraphs:
            return ""
        path = "|".join([*ns, f"{task['name']}:{task['id']}"])
        where = {"langgraph_node": task["name"], "langgraph_checkpoint_ns": path}
        said = _unstreamed(task["result"], of_tools=task["name"] in self._tools.nodes)
        words = [self._speech.message(message, where, is_written=True) for message in said]
        return self._note_token("".join(words))

    def _take_from_subgraph(self, task: Mapping[str, Any]) -> str:
        """Speak an unspoken subgraph's messages once its node has written them."""
        said = [
            message
            for message in _messages(task["result"])
            if isinstance(message, BaseMessage) and message.id in self._of_subgraphs
        ]
        self._of_subgraphs.difference_update(message.id for message in said)
        where = {"langgraph_node": task["name"], "langgraph_checkpoint_ns": task["name"]}
        return "".join(self._note_token(self._speech.message(message, where)) for message in said)

    def _take_interrupts(self, task: Mapping[str, Any], ns: tuple[str, ...]) -> str:
        """Speak the first question; the others follow when it is answered."""
        self._watch.saw_interrupt()
        known = {question["id"] for question in self.questions}
        new = [one for one in task["interrupts"] if one["id"] not in known]
        is_first = not self.questions
        self.questions += asked_questions(new, task["id"], ns, self._turn.questions)
        words = self.questions[0]["words"] if is_first and new else ""
        return self._speech.say(words) if words else ""

    def _take_custom(self, event: object) -> str:
        self._watch.saw_custom(event)
        if is_say(event):
            return self._speech.say(event["text"], again=event.get("again", False))
        return self._speech.say(_upstream_text(event)) if "custom" in self._modes else ""

    def _note_token(self, words: str) -> str:
        """Return ``words``, and note an end token that was filtered out of them."""
        if self._speech.token_node is not None:
            self._watch.saw_token(self._speech.token_node)
        return words

    def _saw_node(self, node: str, ns: tuple[str, ...]) -> None:
        """Keep the state before the root graph's end node, in case the caller stops the ending.

        A subgraph's end node has no such state: the one before it lacks what the subgraph did.
        """
        self._watch.saw_node(node, is_root=not ns)
        is_end = self.ending is not None and self.ending.get("node") == node
        if self._before_end is None and is_end and not ns:
            self._before_end = self._checkpoint_id or self._turn.checkpoint_id


def _messages(result: object) -> list[Any]:
    """What a node has written to ``messages``, in any form."""
    several = writes_to("messages", result)
    flat = [one for some in several for one in (some if isinstance(some, list) else [some])]
    return [one for one in flat if one]


def _unstreamed(result: object, *, of_tools: bool) -> list[BaseMessage]:
    """The messages in a node's result that LangGraph has not streamed, after the caller's last.

    A dictionary with an id is a message that a server has already streamed.
    """
    found: list[BaseMessage] = []
    for one in reversed(_messages(result)):
        is_untyped = isinstance(one, tuple) or (isinstance(one, Mapping) and "id" not in one)
        try:
            [message] = convert_to_messages([one])
        except (KeyError, NotImplementedError, TypeError, ValueError):
            break  # another project's channel of that name
        if isinstance(message, HumanMessage):
            break
        if is_untyped or (of_tools and isinstance(message, AIMessage)):
            found.append(message)
    return found[::-1]


def _upstream_text(event: object) -> str:
    """Text of a custom event as upstream's adapter speaks it: a string, or its ``content``."""
    match event:
        case str(text) | {"content": str(text)}:
            return text
        case _:
            return ""
