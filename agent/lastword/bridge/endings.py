"""Endings: how a run decides to end the call, and how LiveKit is told.

Pure code over LangGraph's v2 stream parts: no clock, no loop, no network.
"""

from __future__ import annotations

import json
import logging
from typing import NotRequired

from livekit.agents import llm, utils

from lastword.bridge.bound_graph import writes_to
from lastword.bridge.chat_items import POINTER_KEY, RunPointer
from lastword.events import personal
from lastword.signals import (
    DEFAULT_REASON,
    CallPolicy,
    Ending,
    EndingSource,
    is_end_call,
)

END_CALL_TOOL = "end_call"

_log = logging.getLogger("lastword.bridge")


class RecognisedEnding(Ending):
    """An ending and where it came from; ``node`` is set for the sources "node" and "token"."""

    source: EndingSource
    node: NotRequired[str]


class EndTokenFilter:
    """Removes an end token from streamed text, even when it is split over chunks.

    Text that may still become the token is held back until the next chunk decides it, so no part
    of the token is ever passed on. ``token`` None: nothing is removed.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """Return what may be passed on of everything fed so far."""
        if self._token is None:
            return text
        text = self._held + text
        while (at := text.find(self._token)) >= 0:
            self.found = True
            text = text[:at] + text[at + len(self._token) :]
        keep = _overlap(text, self._token)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """The stream is over: return what was held back but did not become the token."""
        rest, self._held = self._held, ""
        return rest


def _overlap(text: str, token: str) -> int:
    """Length of the longest suffix of ``text`` that is a proper prefix of ``token``."""
    for length in range(min(len(text), len(token) - 1), 0, -1):
        if token.startswith(text[-length:]):
            return length
    return 0


class EndingWatch:
    """Collects what one run shows of an ending; a run has at most one.

    A reason that the graph names itself, by signal or in its ``ending`` channel, replaces the
    default reason of an end node or an end token; the last such reason counts. The first
    recognised source is kept.
    """

    def __init__(self, policy: CallPolicy) -> None:
        self._policy = policy
        self._source: EndingSource | None = None
        self._node: str | None = None
        self._named: Ending | None = None
        self._signalled: str | None = None
        self._is_root_node = False
        self._finished: set[str] = set()
        self._finished_in_root: set[str] = set()

    @property
    def ending(self) -> RecognisedEnding | None:
        """The run's ending so far, or None while the call goes on."""
        if self._source is None:
            return None
        named = self._named or Ending(reason=DEFAULT_REASON)
        ending = RecognisedEnding(
            reason=named["reason"], outcome=named.get("outcome"), source=self._source
        )
        if self._node is not None:
            ending["node"] = self._node
        return ending

    @property
    def end_node_finished(self) -> bool:
        """Whether the ending came from the root graph's end node and that node has finished."""
        return self._source == "node" and self._node in self._finished_in_root

    def saw_token(self, node: str) -> None:
        """The end token was streamed by ``node``."""
        self._decide("token", node)

    def saw_node(self, node: str, *, is_root: bool = True) -> None:
        """``node``, of the root graph or of a subgraph, is running or has run.

        A subgraph's end node ends the call only if the root graph runs nothing after it.
        """
        if self._policy.end_node is not None and node == self._policy.end_node:
            self._decide("node", node)
            self._is_root_node = self._is_root_node or is_root

    def saw_step(self) -> None:
        """The root graph begins another step."""
        if self._source == "node" and not self._is_root_node:
            self._source = self._node = None

    def saw_custom(self, event: object) -> None:
        """A custom stream event arrived."""
        if is_end_call(event):
            if self._signalled not in (None, event["reason"]):
                _log.warning(
                    "the graph ends the call with two reasons in one turn; the last one counts",
                    extra=personal(reasons=[self._signalled, event["reason"]]),
                )
            self._signalled = event["reason"]
            self._named = Ending(reason=event["reason"], outcome=event.get("outcome"))
            self._decide("event", None)

    def saw_result(self, node: str, result: object, *, is_root: bool = True) -> None:
        """``node`` of the root graph or of a subgraph has finished and has written ``result``."""
        self.saw_node(node, is_root=is_root)
        self._finished.add(node)
        if is_root:
            self._finished_in_root.add(node)
        for ending in writes_to("ending", result):
            self._saw_channel(ending)

    def saw_failure(self) -> None:
        """The run has failed: an end node that had not finished has ended nothing."""
        if self._source == "node" and self._node not in self._finished:
            self._source = self._node = None

    def saw_too_many_failures(self) -> None:
        """The graph has failed so often that the call is given up."""
        self._named = Ending(reason="graph_failed")
        self._decide("failure", None)

    def saw_interrupt(self) -> None:
        """The graph waits for a human, so the node it stopped in has not finished."""
        if self._source == "node":
            self._source = self._node = None

    def _decide(self, source: EndingSource, node: str | None) -> None:
        if self._source is None:
            self._source, self._node = source, node

    def _saw_channel(self, ending: object) -> None:
        """Take reason and outcome from the ``ending`` channel; the channel alone ends nothing."""
        match ending:
            case {"reason": str() as reason, **rest}:
                outcome = rest.get("outcome")
                self._named = Ending(
                    reason=reason, outcome=outcome if isinstance(outcome, dict) else None
                )
            case _:
                pass


def end_call_request(ending: RecognisedEnding, pointer: RunPointer) -> llm.FunctionToolCall:
    """The call of LiveKit's tool ``end_call`` for ``ending``; the outcome is JSON text in it."""
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
    """An outcome as JSON; values that JSON does not know become text, so no ending is lost."""
    try:
        return json.dumps(outcome, default=str)
    except (TypeError, ValueError):
        _log.exception("the ending's outcome is not JSON and is left out")
        return "null"
