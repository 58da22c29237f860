"""Spoken days and times of day: how the agent says them and how it understands them."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from graphs.spoken_numbers import NUMBERS, ONES, TENS, number_in_words, word_list
from graphs.understanding import normalise

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = word_list(
    "January February March April May June July August September October November December"
)
_ORDINALS = word_list(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
# Practice hours: "half past two" is in the afternoon, "at nine" in the morning.
_FIRST_MORNING_HOUR = 8
_HOUR = "(" + "|".join(ONES[1:13]) + r"|\d{1,2})"
_MINUTE = (
    "(oh five|" + "|".join([f"{tens}(?: {ONES[5]})?" for tens in TENS.values()]) + "|ten|fifteen)"
)


def spoken_time(moment: time) -> str:
    """Say a time of day: "half past ten", "ten o'clock", "twenty to four"."""
    hour, minute = moment.hour, moment.minute
    this = number_in_words(hour % 12 or 12)
    following = number_in_words((hour + 1) % 12 or 12)
    if minute == 0:
        return f"{this} o'clock"
    if minute == 30:
        return f"half past {this}"
    if minute % 5:
        return f"{this} {'oh ' if minute < 10 else ''}{number_in_words(minute)}"
    amount = "quarter" if minute in (15, 45) else number_in_words(min(minute, 60 - minute))
    return f"{amount} past {this}" if minute < 30 else f"{amount} to {following}"


def spoken_day(day: date) -> str:
    """Say a date: "Tuesday the twenty-fourth of November"."""
    if day.day <= len(_ORDINALS):
        ordinal = _ORDINALS[day.day - 1]
    elif day.day == 30:
        ordinal = "thirtieth"
    else:
        ordinal = f"{TENS[day.day // 10 * 10]}-{_ORDINALS[day.day % 10 - 1]}"
    return f"{WEEKDAYS[day.weekday()]} the {ordinal} of {_MONTHS[day.month - 1]}"


def spoken_moment(moment: datetime) -> str:
    """Say day and time: "Tuesday the twenty-fourth of November at half past ten"."""
    return f"{spoken_day(moment.date())} at {spoken_time(moment.time())}"


def heard_weekday(text: str) -> str | None:
    """Return the weekday named in ``text``; None if it names none or several."""
    named = {day for day in WEEKDAYS if re.search(rf"\b{day.lower()}s?\b", normalise(text))}
    return named.pop() if len(named) == 1 else None


def heard_time(text: str) -> time | None:
    """Return the time of day named in ``text``, None if there is none.

    Hours before eight mean the afternoon: the practice is closed at night.
    """
    words = re.sub(r"\ba (?=quarter|half)", "", normalise(text))
    if found := re.search(r"\b(\d{1,2}):(\d\d)\b ?(am|pm)?", words):
        return _time(int(found[1]), int(found[2]), found[3])
    if found := re.search(rf"\bhalf past {_HOUR}\b", words):
        return _time(_number(found[1]), 30)
    if found := re.search(rf"\b(quarter|ten|twenty|five) (past|to) {_HOUR}\b", words):
        amount = 15 if found[1] == "quarter" else _number(found[1])
        hour = _number(found[3])
        return _time(hour, amount) if found[2] == "past" else _time(hour - 1 or 12, 60 - amount)
    if found := re.search(rf"\b{_HOUR} {_MINUTE}\b", words):
        return _time(_number(found[1]), _number(found[2]))
    if found := re.search(rf"\b{_HOUR} (?:o'clock|o clock|(a ?m|p ?m|am|pm)|in the)\b", words):
        return _time(_number(found[1]), 0, found[2])
    if found := re.search(rf"\bat {_HOUR}\b", words):
        return _time(_number(found[1]), 0)
    return None


def _number(words: str) -> int:
    if words.isdigit():
        return int(words)
    return sum(NUMBERS.get(word, 0) for word in words.split())


def _time(hour: int, minute: int, half: str | None = None) -> time | None:
    if hour > 23 or minute > 59:
        return None
    match (half or "").replace(" ", ""):
        case "am":
            hour %= 12
        case "pm":
            hour = hour % 12 + 12
        case _ if hour < _FIRST_MORNING_HOUR:
            hour += 12
        case _:
            pass
    return time(hour, minute)
