"""A replayed conversation as a readable script: its turns in order, and its faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lastword.testing.checks import Fault
from lastword.testing.replay import Played, Replayed
from lastword.testing.transcripts.transcript import (
    CallerSays,
    HangsUp,
    Keypad,
    LimitNear,
    Silence,
    TimeUp,
    Trigger,
    Voicemail,
)
from lastword.untrusted.printable import lines_of, one_line

_HERE = ">"


def script_of(done: Replayed) -> list[str]:
    """Return the conversation as printable lines; a turn with a fault is marked and explained.

    Spoken words never span several lines.
    """
    lines: list[str] = []
    for played in done.played:
        lines += _exchange(played)
    shown = {id(fault) for played in done.played for fault in played.faults}
    for fault in done.faults:
        if id(fault) not in shown:
            lines += _fault(fault)
    exchanges = list(done.transcript.exchanges)
    reached = {played.exchange.line for played in done.played}
    rest = [one for one in exchanges if one.line not in reached]
    if rest:
        lines.append(f"  {'':>4}  ... not reached: line {rest[0].line} and after it")
    return lines


def told(trigger: Trigger) -> tuple[str, str]:
    """Return the name of the acting side ("caller" or "line"), and its action in words."""
    match trigger:
        case CallerSays(caller=words, over=None):
            return "caller", words
        case CallerSays(caller=words, over=over):
            return "caller", f"{words}  (over {over!r})"
        case HangsUp(over=over):
            return "caller", "(hangs up)" if over is None else f"(hangs up over {over!r})"
        case Silence(silence=seconds):
            return "line", f"(silence for {seconds:g} s)"
        case LimitNear(limit_near=seconds):
            return "line", f"(the call has to end in {seconds:g} s)"
        case TimeUp():
            return "line", "(the time is up)"
        case Voicemail(voicemail=words):
            return "line", f"(an answering machine: {words})"
        case Keypad(keypad=keys):
            return "caller", f"(presses {keys})"


def _exchange(played: Played) -> Iterator[str]:
    exchange, reply = played.exchange, played.reply
    if exchange.trigger is not None:
        yield _line(exchange.trigger.line, *told(exchange.trigger))
        if reply.heard is not None and isinstance(exchange.trigger, CallerSays):
            yield _line(0, "", f"heard: {reply.heard}")
    if reply.said or reply.nodes:
        way = f"   [{' → '.join(reply.nodes)}]" if reply.nodes else ""
        line = exchange.expected.line if exchange.expected else 0
        yield _line(line, "agent", f"{reply.said}{way}", is_wrong=bool(played.faults))
    for fault in played.faults:
        yield from _fault(fault, is_marked=bool(reply.said or reply.nodes))
    if reply.end is not None and reply.is_over:
        source = f" ({reply.end.source})" if reply.end.source else ""
        yield _line(0, "line", f"ended by {reply.end.ended_by}: {reply.end.reason}{source}")


def _fault(fault: Fault, *, is_marked: bool = False) -> Sequence[str]:
    mark = " " if is_marked else _HERE
    first, *more = lines_of(fault.why)
    diff = [f"{'':>8}  {line}" for line in [*more, *fault.diff()]]
    return [f"{mark} {fault.line:>4}  {one_line(fault.field)}: {first}", *diff]


def _line(number: int, who: str, what: str, *, is_wrong: bool = False) -> str:
    return f"{_HERE if is_wrong else ' '} {number or '':>4}  {who:6}  {one_line(what)}"
