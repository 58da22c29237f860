"""The offline model's rules for the reminder call: they classify answers and never speak."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from graphs.appointment.state import Day, Intent, Understanding
from graphs.rule_model import ModelAnswer, ModelTurn, Rule
from graphs.spoken_time import heard_time, heard_weekday
from graphs.understanding import asks_to_repeat, plain, yes_or_no

_WRONG_PERSON = re.compile(
    r"\bwrong (?:number|person|house|anna)\b|\b(?:no|not any|nobody|no one|no body)"
    r"(?: \w+){0,2} (?:here|(?:by|of|with|called) (?:that|this|the) name)\b"
    r"|\b(?:she|he|anna) (?:is not|does not|no longer)(?: \w+){0,2}"
    r" (?:here|in|home|available|now)\b"
    r"|\bi am not (?:her|him|anna|miss|mrs|mister)\b|\bnot anna\b"
    r"|\b(?:her|his) (?:husband|wife|mother|father|son|daughter|brother|sister|partner)\b"
    r"|\bdo not know (?:her|him|any|anyone|an)\b"
)
_WHEN = re.compile(
    r"\b(?:what (?:time|day|date)|when)(?: \w+)? (?:is|was|did|do|does|it|the appointment)\b"
)
_WHO = re.compile(
    r"\bwho (?:is|are|am) (?:this|that|you|it|calling|speaking|there|i)\b|\bwho is calling\b"
    r"|\bwhat (?:is|was) (?:this|it|that) (?:about|for|regarding|call)\b|\bwhy (?:are|do) you call"
    r"|\bwhere are you calling from\b"
)
_WAIT = re.compile(
    r"\b(?:one|just a|a|wait a) (?:moment|second|minute|sec)\b|\bhold on\b|\bhang on\b"
    r"|\b(?:let me|i will) (?:get|fetch) (?:her|him|my calendar)\b"
)
_CANCEL = r"(?:cancel|canceled|cancelled|cancelling|canceling|call (?:it|that) off)"
_KEEP = re.compile(
    rf"\b(?:do not|not|never|not to|did not)(?: \w+){{0,3}} {_CANCEL}\b"
    r"|\b(?:keep|leave) (?:it|the appointment|my appointment|that|the old one|the old time)\b"
)
_TO_CANCEL = re.compile(
    rf"\b{_CANCEL}\b|\btake me off\b"
    r"|\b(?:do not|no longer) (?:need|want) (?:it|that|the|an|any|my)(?: appointment)?\b"
)
_ABOUT_CANCELLING = re.compile(
    r"\b(?:what if|what happens|if i|whether|not decided|is it (?:possible|free)"
    r"|how (?:much|late|long)|maybe|perhaps|might|not sure|do not know|think about|can i still)\b"
    r"|^(?:why|who|did|how|is|was|were|what|when|should|must|does|do (?:i|you))\b"
)
_OTHER_TIME = re.compile(
    r"\b(?:another|different|other|new) (?:day|time|date|one|slot|appointment|week)\b"
    r"|\breschedule\b|\bpostpone|\b(?:move|change|shift|push|put off|delay)\b"
    r"|\bnext week\b|\b(?:later|earlier|sooner)\b|\binstead\b|\bsome ?other\b"
    r"|\b(?:is there|do you have|have you got)(?: \w+){0,4} (?:morning|afternoon|evening|free)\b"
)
_CAN_NOT = re.compile(
    r"\b(?:can not|could not|will not|not able to|unable to|not going to)(?: \w+){0,3}"
    r" (?:make|come|be there|do it|do that|attend|manage|go|that day)\b|^(?:no )?i can not$"
    r"|\b(?:not|never) (?:suit|work|fit|possible|convenient|good for|free|available)\b"
    r"|\b(?:is|are) (?:really |very |a bit )?(?:bad|difficult|impossible|inconvenient)\b"
    r"|\b(?:i am|i will be) (?:\w+ )?"
    r"(?:busy|away|sick|ill|at work|travelling|on holiday|on vacation)\b"
    r"|\b(?:i have to|have got to) (?:work|travel|be somewhere)\b|\bnone of (?:them|those|these)\b"
)
_UNDECIDED = re.compile(
    r"\b(?:maybe|perhaps|might|not (?:quite |really )?sure|i do not know|think about"
    r"|depends|whether)\b"
)
_CHOICES = (
    (r"\b(?:the )?(?:first|earliest) (?:one|time|slot)?|\bfirst$", 1),
    (r"\bthe second\b(?! of)|\bsecond one\b|\bthe middle\b", 2),
    (r"\bthe third\b(?! of)|\bthird one\b", 3),
    (r"\b(?:the )?last (?:one|time|slot)?\b|\bthe latest\b", -1),
)


def understand(text: str) -> Understanding:
    """Understand a caller's answer; "unclear" if no pattern matches."""
    return Understanding(
        intent=_intent(text), choice=_choice(text), day=_day(text), time=_time(text)
    )


def _intent(text: str) -> Intent:
    """Return the first intent that matches, from the most to the least explicit."""
    words = plain(text)
    if _WRONG_PERSON.search(words):
        return "wrong_person"
    if asks_to_repeat(text) or _WHEN.search(words):
        return "repeat"
    if _WHO.search(words):
        return "who"
    if (wish := _wish(words)) is not None:
        return wish
    if _WAIT.search(words):
        return "wait"
    return yes_or_no(text)


def _wish(words: str) -> Intent | None:
    """Return the wish to move, cancel or keep the appointment; None if the words are about none."""
    if _TO_CANCEL.search(words) and _ABOUT_CANCELLING.search(words):
        return "unclear"
    rest = _KEEP.sub(" ", words)
    other_time = bool(_OTHER_TIME.search(rest) or _CAN_NOT.search(rest))
    if _TO_CANCEL.search(rest):
        return "reschedule" if _OTHER_TIME.search(rest) else "cancel"
    if other_time:
        return "unclear" if _UNDECIDED.search(rest) else "reschedule"
    return "keep" if rest != words else None


def _choice(text: str) -> int | None:
    words = plain(text)
    named = [number for pattern, number in _CHOICES if re.search(pattern, words)]
    return named[0] if len(named) == 1 else None


def _day(text: str) -> Day | None:
    named = heard_weekday(text)
    words = plain(text).split()
    for day in get_args(Day):
        if day == named or (named is None and day in words):
            found: Day = day
            return found
    return None


def _time(text: str) -> str | None:
    moment = heard_time(text)
    return moment.strftime("%H:%M") if moment else None


def classify(turn: ModelTurn) -> ModelAnswer | None:
    """Answer the classifier's request with a tool call for its schema."""
    if Understanding.__name__ not in turn.tools:
        return None
    return ModelAnswer(calls=[(Understanding.__name__, understand(turn.heard).model_dump())])


RULES: Sequence[Rule] = (classify,)
