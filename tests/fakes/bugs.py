"""Typical bugs in a graph, the bridge or the end of a call, and the test that catches each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class NoSuchPlace(Exception):
    """The code that a bug changes does not occur exactly once in the file."""

    def __init__(self, bug: str, file: str, times: int) -> None:
        super().__init__(
            f"{bug}: what it changes is {times} times in {file}; correct tests/fakes/bugs.py"
        )


@dataclass(frozen=True)
class Change:
    """Replaces ``old`` with ``new`` in ``file``, a path in the project."""

    file: str
    old: str
    new: str

    def make(self, project: Path, bug: str) -> None:
        """Apply the change in ``project``.

        Raises:
            NoSuchPlace: ``old`` does not occur exactly once.
        """
        path = project / self.file
        code = path.read_text()
        if code.count(self.old) != 1:
            raise NoSuchPlace(bug, self.file, code.count(self.old))
        path.write_text(code.replace(self.old, self.new))


@dataclass(frozen=True)
class Bug:
    """A bug, the conversation that catches it, and the transcript field that fails."""

    name: str
    changes: Sequence[Change]
    conversation: str
    field: str
    level: str = "graph"


def _bug(name: str, change: tuple[str, str, str], conversation: str, field: str) -> Bug:
    return Bug(name, [Change(*change)], conversation, field)


_EVENTS = "graphs/call_events.py"
_NODES = "graphs/appointment/nodes.py"
_WIRING = "graphs/appointment/graph.py"
_ANSWER = "agent/lastword/bridge/answer.py"
_TURN = "agent/lastword/bridge/turn.py"
_CLOSERS = "agent/lastword/hangup/closers.py"
_CLOSING = "agent/lastword/hangup/closing.py"
_GUARD = "agent/lastword/hangup/farewell_guard.py"
_LIMITS = "agent/lastword/hangup/limits.py"
_LIMIT_WATCH = "agent/lastword/hangup/limit_watch.py"

ENDINGS = (
    _bug(
        "the goodbye is not spoken",
        (_NODES, ", **_say(prompts.farewell(state, result))}", "}"),
        "appointment/confirmed",
        "agent",
    ),
    _bug(
        "the edge to the end node is missing",
        (_WIRING, "add_edge(decide.__name__, END_NODE)", "add_edge(decide.__name__, END)"),
        "appointment/cancels",
        "nodes",
    ),
    _bug(
        "thanks ends the call",
        ("graphs/understanding.py", r"\b(?:goodbye|see you|", r"\b(?:goodbye|thanks?|see you|"),
        "reception/thanks-does-not-end-the-call",
        "open",
    ),
    _bug(
        "bye to something else ends the call",
        ("graphs/understanding.py", '_NO_LEAVE.sub(" ", plain(text))', "plain(text)"),
        "survey/bye-as-a-word-does-not-end-the-call",
        "open",
    ),
    _bug(
        "the end token is spoken",
        (
            "agent/lastword/bridge/endings.py",
            "            text = text[:at] + text[at + len(self._token) :]",
            "            break",
        ),
        "survey/no-time",
        "agent",
    ),
    Bug(
        "the line is taken down twice",
        [Change("agent/lastword/call.py", "        if not self._is_down:", "        if True:")],
        "appointment/confirmed",
        "ended",
        level="session",
    ),
    _bug(
        "the reason is another one's",
        ("graphs/survey/nodes.py", '"stopped" if answers else "declined"', '"declined"'),
        "survey/stops-in-between",
        "ended.reason",
    ),
    _bug(
        "the outcome is missing",
        (_NODES, ', outcome=result["outcome"])', ")"),
        "appointment/confirmed",
        "ended.outcome",
    ),
    _bug(
        "a new request does not cancel the ending",
        (_CLOSERS, "    return False in reached[-1]", "    return True"),
        "appointment/request-over-the-farewell",
        "agent",
    ),
    _bug(
        "a mere goodbye cancels the ending",
        (_CLOSERS, "    return False in reached[-1]", "    return False"),
        "appointment/closer-over-the-farewell",
        "agent",
    ),
    _bug(
        "silence is asked about for ever",
        (_WIRING, "end_token=None)", "end_token=None, silence_reminders=99)"),
        "appointment/silent-to-the-end",
        "agent",
    ),
    _bug(
        "failures never end the call",
        (_ANSWER, "if self._failures < self._policy.max_failures:", "if self._failures:"),
        "survey/model-fails-three-times",
        "ended",
    ),
)

TURNS = (
    _bug(
        "a tool is called with another argument",
        ("graphs/survey/rules.py", '_record("contact", answer)', '_record("contact", "yes")'),
        "survey/wants-no-contact",
        "tools",
    ),
    _bug(
        "booked before it is confirmed",
        (
            _NODES,
            'said)):\n        return Command(update={"chosen": slot}, goto="read_back_slot")',
            'said)):\n        return Command(update={"chosen": slot}, goto="book")',
        ),
        "appointment/reschedules-to-the-first-offer",
        "nodes",
    ),
    _bug(
        "written down without a yes",
        ("graphs/reception/tools.py", '_times_heard(runtime) <= draft["heard_before"]', "False"),
        "reception/model-writes-down-without-a-yes",
        "state",
    ),
    Bug(
        "the router's words are spoken",
        [
            Change(_NODES, ".with_config(tags=[TAG_NOSTREAM])", ""),
            Change(_WIRING, 'frozenset({"understand"})', "frozenset()"),
        ],
        "appointment/model-answers-without-the-schema",
        "never_says",
    ),
    _bug(
        "nobody answers a silence",
        (_EVENTS, '            return "still_there"', "            return None"),
        "appointment/silent-once",
        "agent",
    ),
    _bug(
        "a machine is treated as a person",
        (_EVENTS, '            return "voicemail"', "            return None"),
        "appointment/voicemail",
        "agent",
    ),
    _bug(
        "the machine hears about the appointment",
        ("graphs/appointment/prompts.py", "Please call us back.", "It is about your appointment."),
        "appointment/voicemail",
        "never_says",
    ),
    _bug(
        "a key is ignored",
        (_EVENTS, '            return "in_words"', "            return None"),
        "survey/rates-with-a-key",
        "agent",
    ),
    _bug(
        "nobody apologises when the model fails",
        (_ANSWER, "return words + self._speech.say(self._policy.apology)", "return words"),
        "reception/model-fails-once",
        "says",
    ),
    _bug(
        "the graph believes that interrupted words were heard",
        (_TURN, 'heard=_heard(pointer["spoken"], text), broken_off=True)', "broken_off=True)"),
        "appointment/interrupts-the-reminder",
        "state",
    ),
    _bug(
        "the graph forgets the call between the turns",
        (_TURN, "_last_pointer(items, pointer_of) if remembers else -1", "-1"),
        "appointment/confirmed",
        "agent",
    ),
    _bug(
        "every answer counts as one that was not understood",
        (_NODES, 'if step == "ask_again" else 0', "if True else 0"),
        "appointment/one-clear-answer-resets-the-count",
        "state",
    ),
)

RULES = (
    _bug(
        "a silent caller is reminded once too often",
        (_LIMITS, "times.reminders >= policy", "times.reminders > policy"),
        "appointment/silent-to-the-end",
        "agent",
    ),
    _bug(
        "the end is near only when it is there",
        (_LIMITS, "_ends_at(policy, times) - policy.limit_warning, ", "_ends_at(policy, times), "),
        "survey/time-is-short-then-up",
        "turns",
    ),
    _bug(
        "a limit's farewell is not spoken",
        (_LIMIT_WATCH, "            if limit.farewell:", "            if not limit.farewell:"),
        "reception/time-is-short-then-up",
        "agent",
    ),
    _bug(
        "a key does not count as a sign of the caller",
        (
            _LIMIT_WATCH,
            "        self._caller_is_there()\n        if self._stop",
            "        if self._stop",
        ),
        "appointment/words-begin-the-silence-anew",
        "says",
    ),
    _bug(
        "words over the farewell for silence do not keep the call",
        (
            _GUARD,
            '            case "words":\n                return True',
            '            case "words":\n                return False',
        ),
        "appointment/answers-over-the-silence-farewell",
        "agent",
    ),
    _bug(
        "a new request over the farewell is not heard",
        (_GUARD, "return not self._says_goodbye(event)", "return False"),
        "appointment/request-over-the-farewell",
        "agent",
    ),
    _bug(
        "the closing hangs up twice",
        (
            _CLOSING,
            "        self._removed = await hang_up(lines)",
            "        await hang_up(lines)\n        self._removed = await hang_up(lines)",
        ),
        "appointment/confirmed",
        "ended",
    ),
    _bug(
        "nobody hangs up after the tail",
        (_CLOSING, "        if wake is not None:", "        if wake is None:"),
        "appointment/confirmed",
        "turns",
    ),
)

BUGS = (*ENDINGS, *TURNS, *RULES)
