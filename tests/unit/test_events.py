"""Events reach all subscribers in order; personal fields are marked by their type."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from livekit.agents.cli.log import JsonFormatter
from livekit.agents.telemetry.pii import is_pii_attribute

from lastword import events as module
from lastword.events import (
    EVENTS,
    LOGGER_NAME,
    PERSONAL,
    CallerSaid,
    Event,
    EventStream,
    log_event,
    personal,
    read_event,
)
from tests import PROJECT_ROOT
from tests.fakes.an_event import an_event

NAMES = sorted(EVENTS)


def heard(stream: EventStream, words: str) -> Event:
    return CallerSaid(event="caller_said", **stream.moment(), words=words, metrics={})


def record_of(event: Event, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    caplog.clear()
    with caplog.at_level("INFO"):
        log_event(event)
    [record] = caplog.records
    return record


def test_an_event_has_the_call_and_both_times() -> None:
    berlin = timezone(timedelta(hours=1))
    stream = EventStream(
        "call-1", lambda: 12.345678, lambda: datetime(2026, 11, 27, 10, 0, 0, 5000, berlin)
    )
    assert heard(stream, "hello") == {
        "event": "caller_said",
        "call": "call-1",
        "time": "2026-11-27T09:00:00.005+00:00",
        "at": 12.3457,
        "words": "hello",
        "metrics": {},
    }


def test_the_default_clocks_are_the_machines() -> None:
    told = EventStream("call-1").moment()
    passed = datetime.now(UTC) - datetime.fromisoformat(told["time"])
    assert timedelta() <= passed < timedelta(minutes=1)


def test_all_subscribers_are_told_in_order() -> None:
    stream, told = EventStream("call-1"), list[str]()
    stream.subscribe(lambda event: told.append(f"first {event['event']}"))
    stream.subscribe(lambda event: told.append(f"second {event['event']}"))
    stream.emit(an_event("call_started"))
    stream.emit(an_event("call_ended"))
    assert told == [
        "first call_started",
        "second call_started",
        "first call_ended",
        "second call_ended",
    ]


def test_a_subscriber_that_fails_disturbs_nobody_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Event) -> None:
        raise RuntimeError("the webhook's host is down")

    stream, told = EventStream("call-1"), list[Event]()
    stream.subscribe(fail)
    stream.subscribe(told.append)
    stream.emit(an_event("call_ended"))
    assert told == [an_event("call_ended")]
    [record] = caplog.records
    assert record.message == "a subscriber to a call's events failed"
    assert (record.__dict__["room"], record.__dict__["failed_on"]) == ("call-1", "call_ended")
    assert "the webhook's host is down" in caplog.text
    assert read_event(JsonFormatter().format(record)) is None, "no event itself"


def test_what_a_subscriber_emits_comes_after_what_it_was_told_of() -> None:
    stream, told = EventStream("call-1"), list[str]()

    def answer(event: Event) -> None:
        if event["event"] == "call_started":
            stream.emit(an_event("caller_joined"))

    stream.subscribe(answer)
    stream.subscribe(lambda event: told.append(event["event"]))
    stream.emit(an_event("call_started"))
    assert told == ["call_started", "caller_joined"]


def test_a_subscriber_that_stops_the_process_keeps_no_event_from_the_others() -> None:
    stream, told = EventStream("call-1"), list[str]()

    def stop(event: Event) -> None:
        if event["event"] == "call_started":
            stream.emit(an_event("call_ended"))
            raise KeyboardInterrupt

    stream.subscribe(stop)
    stream.subscribe(lambda event: told.append(event["event"]))
    with pytest.raises(KeyboardInterrupt):
        stream.emit(an_event("call_started"))
    assert told == ["call_ended"]


def marked(hint: object) -> bool:
    return PERSONAL in getattr(hint, "__metadata__", ())


@pytest.mark.parametrize("name", NAMES)
def test_the_log_has_every_field_and_livekits_mark_on_the_personal_ones(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = record_of(an_event(name), caplog)
    assert record.name == LOGGER_NAME
    for field, hint in get_type_hints(EVENTS[name], include_extras=True).items():
        logged = f"lk.pii.{field}" if marked(hint) else field
        assert logged in record.__dict__, field
        assert is_pii_attribute(logged) is marked(hint)


@pytest.mark.parametrize("name", NAMES)
def test_the_sentence_of_an_event_is_fixed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    plain = record_of(an_event(name), caplog).getMessage()
    fields = get_type_hints(EVENTS[name]).keys() - {"event", "time", "at"}
    other = an_event(name, 9.0, **dict.fromkeys(fields, "another"))
    assert record_of(other, caplog).getMessage() == plain


@pytest.mark.parametrize("name", NAMES)
def test_an_event_is_read_back_as_it_was_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    event = an_event(name, 2.5)
    assert read_event(JsonFormatter().format(record_of(event, caplog))) == event


def test_every_event_is_in_the_union_under_its_own_name() -> None:
    assert len(EVENTS) == len(get_args(Event))


PERSONAL_FIELDS = {"caller", "words", "told", "reason", "outcome", "error", "tools", "state"}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_caller_or_a_graph_can_put_into_an_event_is_personal(name: str) -> None:
    hints = get_type_hints(EVENTS[name], include_extras=True)
    unmarked = {field for field, hint in hints.items() if not marked(hint)}
    assert not unmarked & PERSONAL_FIELDS


LINE: Mapping[str, Any] = {
    "name": LOGGER_NAME,
    "level": "INFO",
    **an_event("call_started"),
}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no JSON",
        "[" * 100_000,
        "[]",
        json.dumps({**LINE, "name": "lastword.hangup"}),
        json.dumps({**LINE, "event": "nothing_of_ours"}),
        json.dumps({**LINE, "event": ["call_started"]}),
        json.dumps({**LINE, "call": [1]}),
        json.dumps({**LINE, "time": 7}),
        json.dumps({**LINE, "at": float("nan")}),
        json.dumps({**LINE, "at": "soon"}),
        json.dumps({key: value for key, value in LINE.items() if key != "graph"}),
    ],
)
def test_a_line_that_is_no_event_is_none(line: str) -> None:
    assert read_event(json.dumps(LINE)) is not None
    assert read_event(line) is None


def test_a_record_that_is_no_event_can_mark_its_fields() -> None:
    assert personal(reason="moved to Berlin") == {"lk.pii.reason": "moved to Berlin"}


def test_nobody_else_writes_livekits_mark() -> None:
    own = Path(str(module.__file__))
    sources = [
        path
        for folder in ("agent", "graphs", "benchmarks")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
    ]
    assert own in sources
    assert [path for path in sources if "lk.pii" in path.read_text() and path != own] == []
