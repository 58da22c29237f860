"""What one run of the graph says and decides, taken from LangGraph's stream.

Pure code: no clock, no loop, no LiveKit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages

from lastword.bridge.endings import EndingWatch, RecognisedEnding
from lastword.bridge.history import Turn
from lastword.bridge.questions import asked
from lastword.bridge.run_pointer import PointedEnding, Question, RunPointer
from lastword.bridge.speech import Calls, SpeechFilter, Tools
from lastword.bridge.task_result import writes_to
from lastword.bridge.thread import Part
from lastword.signals import CallPolicy, is_say


class Answer:
    """The answer to one turn, as far as the graph has come with it.

    Every method that takes something in returns the words that may be spoken now.

    Args:
        turn: what is answered.
        policy: how endings are recognised and what is spoken.
        modes: which of LangGraph's "messages" and "custom" streams are spoken.
        subgraphs: whether what subgraphs stream is spoken.
        calls: what is known of the models' calls.
        tools: what is known of the graph's tools.
    """

    def __init__(
        self,
        turn: Turn,
        policy: CallPolicy,
        *,
        modes: set[Any],
        subgraphs: bool,
        calls: Calls,
        tools: Tools,
    ) -> None:
        self.broken_nodes: list[str] = []
        self.questions: list[Question] = []
        self._turn = turn
        self._policy = policy
        self._modes = modes
        self._subgraphs = subgraphs
        self._tools = tools
        self._speech = SpeechFilter(policy, calls=calls, tools=tools)
        self._watch = EndingWatch(policy)
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
    def came_further(self) -> bool:
        """Whether the graph has left the state that the turn began with."""
        return self._checkpoint_id is not None or bool(self.questions)

    @property
    def is_over(self) -> bool:
        """Whether the end node has said its words, and nobody beside it is still speaking."""
        return self._watch.end_node_finished and not self._running and not self.questions

    @property
    def is_missing(self) -> bool:
        """Whether the caller, having said something, would hear nothing at all."""
        expected = self._policy.must_answer and bool(self._turn.words)
        said = self._speech.text or self.ending is not None or self.questions
        return expected and not said

    @property
    def pointer(self) -> RunPointer:
        """What the run leaves in the history as it stands now."""
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
    def landmark(self) -> tuple[object, ...]:
        """Changes whenever an interruption would have to find another pointer in the history."""
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
                return self._heed(self._speech.message(message, metadata))
            case "tasks":
                return self._take_task(cast("Mapping[str, Any]", part["data"]), part["ns"])
            case "custom":
                return self._take_custom(part["data"])
            case "checkpoints" if not part["ns"]:
                self._take_checkpoint(part["data"])
        return ""

    def ask_again(self, *, is_taken: bool = False) -> str:
        """Nobody has answered the open question: it is heard once more, unless it is taken.

        This run leaves no checkpoint, so the next turn goes back to the question, and is told all
        that was said since.
        """
        words = "" if is_taken else self._turn.questions[0]["words"]
        return self._speech.say(words or self._policy.still_waiting)

    def finish(self) -> str:
        """The graph has come to the end of its run."""
        self._finished = True
        words = self._heed(self._speech.flush())
        if self.questions and not self._speech.text:
            words += self._speech.say(self._policy.still_waiting)
        return words

    def fail(self) -> str:
        """Apologise and let the call go on; after too many failures in a row, end it.

        An ending that the graph decided before it failed stands, but not that of an end node that
        did not come to its own end. Failures are counted in the history, so a discarded run's
        count for nothing.
        """
        self._watch.saw_failure()
        self._failures = self._turn.failures + 1
        self._finished = True
        words = self._heed(self._speech.flush())
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
        """A node begins, or has come to its end, or to a question."""
        if "input" in task:
            if not ns and not self._running:
                self._watch.saw_step()
            self._running.add(task["id"])
            self._saw_node(task["name"], ns)
            return ""
        self._running.discard(task["id"])
        words = self._heed(self._speech.task_over(task["id"]))
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
        """Speak what LangGraph does not stream as a node's words, but the node has written.

        Messages as dictionaries or pairs, and the messages of a node that runs tools.
        """
        if ns and not self._subgraphs:
            return ""
        way = "|".join([*ns, f"{task['name']}:{task['id']}"])
        where = {"langgraph_node": task["name"], "langgraph_checkpoint_ns": way}
        said = _unstreamed(task["result"], of_tools=task["name"] in self._tools.nodes)
        words = [self._speech.message(message, where, is_written=True) for message in said]
        return self._heed("".join(words))

    def _take_from_subgraph(self, task: Mapping[str, Any]) -> str:
        """What a subgraph has said that may not be streamed is spoken whole, when its node ends."""
        said = [
            message
            for message in _messages(task["result"])
            if isinstance(message, BaseMessage) and message.id in self._of_subgraphs
        ]
        self._of_subgraphs.difference_update(message.id for message in said)
        where = {"langgraph_node": task["name"], "langgraph_checkpoint_ns": task["name"]}
        return "".join(self._heed(self._speech.message(message, where)) for message in said)

    def _take_interrupts(self, task: Mapping[str, Any], ns: tuple[str, ...]) -> str:
        """Of several questions the first is spoken; the others come when it is answered."""
        self._watch.saw_interrupt()
        known = {question["id"] for question in self.questions}
        new = [one for one in task["interrupts"] if one["id"] not in known]
        is_first = not self.questions
        self.questions += asked(new, task["id"], ns, self._turn.questions)
        words = self.questions[0]["words"] if is_first and new else ""
        return self._speech.say(words) if words else ""

    def _take_custom(self, event: object) -> str:
        self._watch.saw_custom(event)
        if is_say(event):
            return self._speech.say(event["text"], again=event.get("again", False))
        return self._speech.say(_upstream_text(event)) if "custom" in self._modes else ""

    def _heed(self, words: str) -> str:
        """Notice an end token that was filtered out of ``words``."""
        if self._speech.token_node is not None:
            self._watch.saw_token(self._speech.token_node)
        return words

    def _saw_node(self, node: str, ns: tuple[str, ...]) -> None:
        """Keep the state before an end node of the root graph, for a caller who stops the ending.

        A subgraph's end node has no such state: the one before it lacks what the subgraph did.
        """
        self._watch.saw_node(node, is_root=not ns)
        is_end = self.ending is not None and self.ending.get("node") == node
        if self._before_end is None and is_end and not ns:
            self._before_end = self._checkpoint_id or self._turn.checkpoint_id


def _messages(result: object) -> list[Any]:
    """What a node has written as messages, in whatever form it has."""
    several = writes_to("messages", result)
    flat = [one for some in several for one in (some if isinstance(some, list) else [some])]
    return [one for one in flat if one]


def _unstreamed(result: object, *, of_tools: bool) -> list[BaseMessage]:
    """The messages of a node's result that LangGraph has not streamed, since the caller spoke.

    A dictionary with an id is a message that a server has streamed already.
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
