"""The offline model's rules for the front desk.

The rules find the open question in the messages, as any chat model does: they keep no other
state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.call_events import GOODBYE_THEN
from graphs.reception import prompts
from graphs.rule_model import SAY_AGAIN, ModelAnswer, ModelTurn, Rule
from graphs.spoken_numbers import heard_digits
from graphs.spoken_time import heard_weekday
from graphs.understanding import (
    asks_to_repeat,
    is_done,
    normalise,
    plain,
    says_goodbye,
    yes_or_no,
)

_FOR_WHOM = "Who is the message for?"
_WHAT_MESSAGE = "What is the message?"
_MESSAGE_NAME = "And what is your name, please?"
_CALLBACK_NAME = re.compile(r"but (?P<department>[\w ]+) can call you back")
_NOTHING_WRITTEN = f"All right, I have not written anything down. {prompts.ANYTHING_ELSE}"
_WHAT = "What can I do for you?"
_WELCOME = f"You are welcome. {prompts.ANYTHING_ELSE}"
_HOURS = re.compile(
    r"\b(?:open|opened|opening|opens|close|closed|closing|hours)\b"
    r"|\b(?:when|what time) (?:are|do) you\b"
)
_MESSAGE = re.compile(r"\b(?:leave|take|pass|give|send|have)\b.*\bmessage\b|\bmessage for\b")
_RECIPIENT = re.compile(r"\bmessage (?:for|to) (?P<name>[\w ]+)")
_TO_SPEAK_WITH = re.compile(
    r"\b(?:speak|talk|connect|put|transfer|through|call(?:ed)? me back|call back|someone from"
    r"|somebody from)\b"
)
_NEVER_MIND = re.compile(r"\b(?:never mind|forget (?:it|about it)|leave it)\b")
_SAYS_NAME = re.compile(r"^(?:yes|sure|it is|this is|my name is|the name is|i am|name is|\s)+\b")
_UNCLEAR_LIMIT = 3


def greet(turn: ModelTurn) -> ModelAnswer | None:
    """Greet: the agent speaks first."""
    return ModelAnswer(prompts.GREETING) if turn.opening else None


def pass_on_result(turn: ModelTurn) -> ModelAnswer | None:
    """Speak the tool's result unchanged: the tools return whole sentences."""
    return ModelAnswer(turn.result.text) if turn.result else None


def repeat(turn: ModelTurn) -> ModelAnswer | None:
    """Say the last sentences again."""
    return ModelAnswer(turn.asked) if turn.asked and asks_to_repeat(turn.heard) else None


def write_or_not(turn: ModelTurn) -> ModelAnswer | None:
    """Handle the answer to a read-back: only a clear yes writes."""
    if prompts.READ_BACK not in turn.asked:
        return None
    match yes_or_no(turn.heard):
        case "yes":
            return ModelAnswer(calls=[("write_down", {})])
        case "no":
            return ModelAnswer(_NOTHING_WRITTEN)
        case _:
            return _again(turn)


def never_mind(turn: ModelTurn) -> ModelAnswer | None:
    """Drop the message or callback that the caller no longer wants."""
    return ModelAnswer(_NOTHING_WRITTEN) if _NEVER_MIND.search(plain(turn.heard)) else None


def message_parts(turn: ModelTurn) -> ModelAnswer | None:
    """Ask for the missing parts of a message; read it back when it is complete."""
    if turn.asked.endswith(_FOR_WHOM):
        return ModelAnswer(_WHAT_MESSAGE)
    if turn.asked.endswith(_WHAT_MESSAGE):
        return ModelAnswer(_MESSAGE_NAME)
    if not turn.asked.endswith(_MESSAGE_NAME):
        return None
    text = _answer_to(turn, _WHAT_MESSAGE)
    parts = {"recipient": _recipient(turn), "caller": _name(turn.heard), "text": text}
    return ModelAnswer(calls=[("take_message", parts)])


def callback_parts(turn: ModelTurn) -> ModelAnswer | None:
    """Ask for the missing parts of a callback; read it back when it is complete."""
    if _CALLBACK_NAME.search(turn.asked):
        return _request_callback(turn, _name(turn.heard), None)
    if prompts.NUMBER not in turn.asked:
        return None
    number = heard_digits(turn.heard)
    caller = next(
        (_name(heard) for asked, heard in reversed(turn.exchanges) if _CALLBACK_NAME.search(asked)),
        "",
    )
    return _request_callback(turn, caller, number) if number else _again(turn)


def finish(turn: ModelTurn) -> ModelAnswer | None:
    """End the call on a goodbye, "that's all", or "no" to "anything else", not on "thanks"."""
    no_more = turn.asked.endswith(prompts.ANYTHING_ELSE) and yes_or_no(turn.heard) == "no"
    if no_more or says_goodbye(turn.heard) or is_done(turn.heard):
        heard_it = any(prompts.FAREWELL in asked for asked, _ in turn.exchanges)
        return _end(GOODBYE_THEN if heard_it else prompts.FAREWELL, "completed")
    return None


def begin_message(turn: ModelTurn) -> ModelAnswer | None:
    """Start a message when the caller wants to leave one."""
    words = plain(turn.heard)
    if not _MESSAGE.search(words):
        return None
    return ModelAnswer(_WHAT_MESSAGE if _RECIPIENT.search(words) else _FOR_WHOM)


def begin_callback(turn: ModelTurn) -> ModelAnswer | None:
    """Start a callback when the caller wants to speak with somebody."""
    wanted = _TO_SPEAK_WITH.search(plain(turn.heard)) or "Who would you like?" in turn.asked
    if not wanted:
        return None
    return ModelAnswer(calls=[("find_department", {"name": plain(turn.heard)})])


def tell_hours(turn: ModelTurn) -> ModelAnswer | None:
    """Look up the opening hours when the caller asks for them."""
    if not _HOURS.search(plain(turn.heard)):
        return None
    return ModelAnswer(calls=[("opening_hours", {"day": heard_weekday(turn.heard)})])


def small_talk(turn: ModelTurn) -> ModelAnswer | None:
    """Answer small talk politely."""
    words = plain(turn.heard)
    if prompts.ANYTHING_ELSE in turn.asked and yes_or_no(turn.heard) == "yes":
        return ModelAnswer(_WHAT)
    if re.search(r"\b(?:one more|another|something else)\b", words):
        return ModelAnswer(f"Of course. {_WHAT}")
    if re.search(r"\bthank", words):
        return ModelAnswer(_WELCOME)
    if re.match(r"(?:hello|hi|hey|good (?:morning|afternoon|day))\b", words):
        return ModelAnswer("Hello. How can I help you?")
    return None


def give_up(turn: ModelTurn) -> ModelAnswer | None:
    """End the call at the third answer in a row that was not understood."""
    last = [asked for asked, _ in turn.exchanges][1 - _UNCLEAR_LIMIT :]
    if len(last) == _UNCLEAR_LIMIT - 1 and all(SAY_AGAIN in asked for asked in last):
        return _end(prompts.FAREWELL_NOT_UNDERSTOOD, "not_understood")
    return None


RULES: Sequence[Rule] = (
    greet,
    pass_on_result,
    repeat,
    write_or_not,
    never_mind,
    message_parts,
    callback_parts,
    finish,
    begin_message,
    begin_callback,
    tell_hours,
    small_talk,
    give_up,
)


def _again(turn: ModelTurn) -> ModelAnswer:
    """Ask again, with the open question at the end, where the rules find it in the next turn."""
    question = re.split(r"(?<=[.?!]) ", turn.asked)[-1]
    return ModelAnswer(f"{SAY_AGAIN} {question}")


def _end(farewell: str, reason: str) -> ModelAnswer:
    return ModelAnswer(calls=[("end_call", {"farewell": farewell, "reason": reason})])


def _request_callback(turn: ModelTurn, caller: str, number: str | None) -> ModelAnswer:
    said = [found for asked, _ in turn.exchanges if (found := _CALLBACK_NAME.search(asked))]
    parts = {"department": said[-1]["department"], "caller": caller, "number": number}
    return ModelAnswer(calls=[("request_callback", parts)])


def _answer_to(turn: ModelTurn, question: str) -> str:
    """Return the caller's answer to ``question`` when it was last asked."""
    answers = [normalise(heard) for asked, heard in turn.exchanges if asked.endswith(question)]
    return answers[-1] if answers else ""


def _recipient(turn: ModelTurn) -> str:
    """Return the recipient from the answer, else from "a message for Doctor Weber"."""
    if answer := _answer_to(turn, _FOR_WHOM):
        return re.sub(r"^(?:for|it is for|to) ", "", plain(answer)).title()
    wishes = [found for _, heard in turn.exchanges if (found := _RECIPIENT.search(plain(heard)))]
    return wishes[-1]["name"].title() if wishes else "the practice"


def _name(heard: str) -> str:
    return _SAYS_NAME.sub("", plain(heard)).title() or "the caller"
