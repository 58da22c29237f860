"""The offline model's rules for the survey."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_core.messages import AIMessage

from graphs.call_events import GOODBYE_THEN
from graphs.rule_model import SAY_AGAIN, ModelAnswer, ModelTurn, Rule
from graphs.spoken_numbers import heard_number, number_in_words
from graphs.survey import prompts
from graphs.survey.state import Question
from graphs.understanding import asks_to_repeat, is_done, normalise, plain, says_goodbye, yes_or_no
from lastword.signals import END_TOKEN

_STOP = re.compile(
    r"\b(?:not interested|no interest|no time|not have (?:the |any )?time|too busy|have to go"
    r"|got to go|stop (?:it|this|calling|now)|not want to (?:answer|take|go on|continue|do)"
    r"|do not call)\b|^stop$"
)
_WEAK_YES = re.compile(r"^(?:okay|ok|alright|fine|right)\b")
_CORRECTS = re.compile(r"\b(?:no|not|said|meant|wrong|sorry)\b")
_RATINGS = range(1, 6)
_UNCLEAR_LIMIT = 3


def greet(turn: ModelTurn) -> ModelAnswer | None:
    """Greet: the agent speaks first."""
    return ModelAnswer(prompts.GREETING) if turn.opening else None


def go_on(turn: ModelTurn) -> ModelAnswer | None:
    """Ask the next question after an answer is recorded, or say goodbye."""
    if turn.result is None:
        return None
    match _recorded(turn):
        case {"question": "rating", "answer": str(rating)}:
            word = number_in_words(int(rating)).capitalize()
            following = prompts.ANYTHING_ELSE if _all_answered(turn) else prompts.IMPROVEMENT
            return ModelAnswer(f"{word}, thank you. {following}")
        case {"question": "improvement"}:
            return ModelAnswer(f"Thank you. {prompts.CONTACT}")
        case _:
            return ModelAnswer(prompts.FAREWELL)


def after_goodbye(turn: ModelTurn) -> ModelAnswer | None:
    """Answer a caller who spoke over the farewell; survey questions are not repeated."""
    if not _all_answered(turn) or asks_to_repeat(turn.heard):
        return None
    number, words = heard_number(turn.heard), plain(turn.heard)
    if number in _RATINGS and _CORRECTS.search(words):
        return _record("rating", str(number))
    if yes_or_no(turn.heard) == "no" or is_done(turn.heard) or says_goodbye(turn.heard):
        heard_it = any("Goodbye!" in asked for asked, _ in turn.exchanges)
        return ModelAnswer(f"{GOODBYE_THEN}{END_TOKEN}" if heard_it else prompts.FAREWELL)
    return ModelAnswer(f"Thank you. {prompts.ANYTHING_ELSE}")


def stop(turn: ModelTurn) -> ModelAnswer | None:
    """Say goodbye as soon as the caller wants to stop."""
    refuses = prompts.CONSENT in turn.asked and yes_or_no(turn.heard) == "no"
    if refuses or says_goodbye(turn.heard) or _STOP.search(plain(turn.heard)):
        return ModelAnswer(prompts.FAREWELL_DECLINED)
    return None


def repeat(turn: ModelTurn) -> ModelAnswer | None:
    """Say the last sentences again."""
    return ModelAnswer(turn.asked) if turn.asked and asks_to_repeat(turn.heard) else None


def consent(turn: ModelTurn) -> ModelAnswer | None:
    """Ask the first question once the caller agrees; "okay" suffices, since nothing is written."""
    if prompts.CONSENT not in turn.asked:
        return None
    agrees = yes_or_no(turn.heard) == "yes" or _WEAK_YES.match(plain(turn.heard))
    return ModelAnswer(f"Thank you. {prompts.RATING}") if agrees else None


def rating(turn: ModelTurn) -> ModelAnswer | None:
    """Record a number from one to five, or its correction while the next question is open."""
    number = heard_number(turn.heard)
    corrects = prompts.IMPROVEMENT in turn.asked and _CORRECTS.search(plain(turn.heard))
    if number not in _RATINGS or not (prompts.RATING in turn.asked or corrects):
        return None
    return _record("rating", str(number))


def improvement(turn: ModelTurn) -> ModelAnswer | None:
    """Record the answer; any words count."""
    if prompts.IMPROVEMENT not in turn.asked or not turn.heard:
        return None
    return _record("improvement", normalise(turn.heard))


def contact(turn: ModelTurn) -> ModelAnswer | None:
    """Record the answer only if it is a clear yes or no."""
    if prompts.CONTACT not in turn.asked:
        return None
    answer = yes_or_no(turn.heard)
    return None if answer == "unclear" else _record("contact", answer)


def ask_again(turn: ModelTurn) -> ModelAnswer | None:
    """Ask the open question again; end the survey at the third unclear answer in a row."""
    last = [asked for asked, _ in turn.exchanges][1 - _UNCLEAR_LIMIT :]
    if len(last) == _UNCLEAR_LIMIT - 1 and all(SAY_AGAIN in asked for asked in last):
        return ModelAnswer(prompts.FAREWELL_NOT_UNDERSTOOD)
    questions = (prompts.CONSENT, *prompts.QUESTIONS.values())
    asked = " ".join(asked for asked, _ in turn.exchanges)
    return ModelAnswer(f"{SAY_AGAIN} {max(questions, key=asked.rfind)}")


RULES: Sequence[Rule] = (
    greet,
    go_on,
    after_goodbye,
    stop,
    repeat,
    consent,
    rating,
    improvement,
    contact,
    ask_again,
)


def _record(question: Question, answer: str) -> ModelAnswer:
    return ModelAnswer(calls=[("record_answer", {"question": question, "answer": answer})])


def _all_answered(turn: ModelTurn) -> bool:
    """Return whether the last question is answered."""
    calls = [
        call for each in turn.messages if isinstance(each, AIMessage) for call in each.tool_calls
    ]
    return any(call["args"].get("question") == "contact" for call in calls)


def _recorded(turn: ModelTurn) -> dict[str, str]:
    """Return the arguments of the last tool call."""
    for message in reversed(turn.messages):
        if isinstance(message, AIMessage) and message.tool_calls:
            return message.tool_calls[-1]["args"]
    return {}
