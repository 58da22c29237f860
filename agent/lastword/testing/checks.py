"""Compares a conversation with its transcript, and returns the faults. Pure code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from difflib import ndiff
from typing import Any

from pydantic import BaseModel

from lastword.testing.reply import End, Reply, ToolUse, WholeCall
from lastword.testing.transcripts.transcript import AgentTurn, Ended, Transcript
from lastword.testing.wording import ANY, contains, fits, same_words
from lastword.untrusted.patterns import BadPattern, SlowPattern, search_all
from lastword.untrusted.printable import lines_of, one_line


@dataclass(frozen=True)
class Fault:
    """A difference between a conversation and its transcript.

    ``line`` and ``field`` are those of the transcript. ``expected`` and ``found`` are texts for the
    reader and may have several lines.
    """

    line: int
    field: str
    why: str
    expected: str = ""
    found: str = ""

    def diff(self) -> list[str]:
        """``expected`` and ``found`` as the lines of a diff; empty when both are empty."""
        if not self.expected and not self.found:
            return []
        expected, found = (lines_of(one) if one else [] for one in (self.expected, self.found))
        return [line.rstrip("\n") for line in ndiff(expected, found)]


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
"""Stands for a missing value."""


def check_reply(expected: AgentTurn, reply: Reply) -> list[Fault]:
    """Return what is wrong with an answer."""
    return [
        *_words(expected, reply.said),
        *_nodes(expected, reply),
        *_tools(expected, reply.tools),
        *_state(expected, reply.state),
        *_ending(expected, reply),
        *_limits(expected, reply),
    ]


def check_call(transcript: Transcript, call: WholeCall) -> list[Fault]:
    """Return what is wrong with a call as a whole."""
    line = transcript.ended_line
    said = "\n".join(reply.said for reply in call.replies)
    found = [
        Fault(1, "never_says", f"the agent said {words!r}")
        for words in transcript.never_says
        if contains(said, words)
    ]
    if transcript.ended is False and call.end is not None:
        found.append(Fault(line, "ended", f"the call should stay open, but {_told(call.end)}"))
    if transcript.ended is True and call.end is None:
        found.append(Fault(line, "ended", "the call should end, but it is open"))
    if isinstance(transcript.ended, Ended):
        ended = (one.said for one in reversed(call.replies) if one.is_over and one.said)
        farewell = next(ended, "")
        found += _end(line, transcript.ended, call.end, farewell)
    if call.end is not None and call.hang_ups != 1:
        found.append(Fault(line, "ended", f"the line was taken down {call.hang_ups} times"))
    return found


def _words(expected: AgentTurn, said: str) -> Iterator[Fault]:
    line = expected.line
    if expected.agent is not None and not same_words(expected.agent, said):
        why = "the agent said something else"
        yield Fault(line, "agent", why, expected.agent, said)
    for words in expected.says:
        if not contains(said, words):
            yield Fault(line, "says", "the agent did not say this", words, said)
    try:
        for pattern, is_found in search_all(expected.matches, said):
            if not is_found:
                yield Fault(
                    line, "matches", "the pattern does not match what the agent said", pattern, said
                )
    except (BadPattern, SlowPattern) as error:
        yield Fault(line, "matches", str(error), "", said)
    for words in expected.never_says:
        if contains(said, words):
            yield Fault(line, "never_says", f"the agent said {words!r}", "", said)


def _nodes(expected: AgentTurn, reply: Reply) -> Iterator[Fault]:
    if expected.nodes is not None and not fits(expected.nodes, reply.nodes):
        both = "\n".join(expected.nodes), "\n".join(reply.nodes)
        yield Fault(expected.line, "nodes", "the graph took another way", *both)


def _tools(expected: AgentTurn, used: Sequence[ToolUse]) -> Iterator[Fault]:
    if expected.tools is None:
        return
    wanted = [_tool(one) for one in expected.tools]
    fit = len(wanted) == len(used) and all(
        name == tool.name and not _missing(args, tool.args)
        for (name, args), tool in zip(wanted, used, strict=True)
    )
    if not fit:
        calls = "\n".join(_call(*one) for one in wanted), "\n".join(_call(*one) for one in used)
        yield Fault(expected.line, "tools", "the graph called other tools", *calls)


def _tool(wanted: str | Mapping[str, Mapping[str, Any] | None]) -> tuple[str, Mapping[str, Any]]:
    if isinstance(wanted, str):
        return wanted, {}
    name, args = next(iter(wanted.items()))
    return name, args or {}


def _call(name: str, args: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in args.items())})"


def _state(expected: AgentTurn, state: Mapping[str, Any] | None) -> Iterator[Fault]:
    if not expected.state:
        return
    if state is None:
        yield Fault(expected.line, "state", "the graph's state cannot be read here")
        return
    for path, wanted, found in _missing(expected.state, state):
        why = f"{path} has another value"
        yield Fault(expected.line, "state", why, f"{path}: {wanted!r}", f"{path}: {found!r}")


def _ending(expected: AgentTurn, reply: Reply) -> Iterator[Fault]:
    field = "ended" if expected.ended is not None else "open"
    if (expected.open or expected.ended is False) and reply.end is not None:
        yield Fault(expected.line, field, f"the call should go on, but {_told(reply.end)}")
    if (expected.open is False or expected.ended is True) and reply.end is None:
        yield Fault(expected.line, field, "the call should end here, but it goes on")
    if isinstance(expected.ended, Ended):
        yield from _end(expected.line, expected.ended, reply.end, reply.said)


def _end(line: int, expected: Ended, end: End | None, farewell: str) -> Iterator[Fault]:
    if end is None:
        yield Fault(line, "ended", "the call should end here, but it goes on")
        return
    for name in ("ended_by", "reason", "source"):
        wanted, found = getattr(expected, name), getattr(end, name)
        if wanted is not None and wanted != found:
            why = f"the call has another {name}"
            yield Fault(line, f"ended.{name}", why, str(wanted), str(found))
    if expected.outcome is not None:
        for path, wanted, found in _missing(expected.outcome, end.outcome, "outcome"):
            both = f"{path}: {wanted!r}", f"{path}: {found!r}"
            yield Fault(line, "ended.outcome", "the call has another outcome", *both)
    if expected.after is not None and not contains(farewell, expected.after):
        why = "the caller did not hear this in the turn that ended the call"
        yield Fault(line, "ended.after", why, expected.after, farewell)


def _limits(expected: AgentTurn, reply: Reply) -> Iterator[Fault]:
    words, limit = len(reply.said.split()), expected.at_most
    if limit.words is not None and words > limit.words:
        yield Fault(expected.line, "at_most.words", f"the agent said {words} words", "", reply.said)
    if limit.seconds is not None and reply.seconds > limit.seconds:
        why = f"the answer took {reply.seconds:.2f} s"
        yield Fault(expected.line, "at_most.seconds", why)


def _told(end: End) -> str:
    return f"it was ended by {end.ended_by}: {one_line(end.reason)}"


def _missing(wanted: Any, found: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """What ``found`` lacks: (path, wanted value, found value). It may have more than is wanted."""
    found = _plain(found)
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return [
            fault
            for key, value in wanted.items()
            for fault in _missing(value, found.get(key, NOTHING), f"{path}.{key}" if path else key)
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [fault for at, pair in pairs for fault in _missing(*pair, f"{path}[{at}]")]
    is_any = wanted == ANY and found not in (None, NOTHING)
    is_nothing = wanted is None and found is NOTHING
    return [] if wanted == found or is_any or is_nothing else [(path, wanted, found)]


def _plain(value: Any) -> Any:
    """A value in a form that YAML has, so that both can be compared."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return list(value) if isinstance(value, tuple | set | frozenset) else value
