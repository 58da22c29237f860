"""The tables of the practice's store, and its sample data."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, time, timedelta

TABLES = """
create table if not exists appointments (
    id integer primary key,
    customer text not null,
    starts_at text not null,
    status text not null check (status in ('booked', 'confirmed', 'cancelled'))
);
create unique index if not exists one_appointment_at_a_time
    on appointments (starts_at) where status <> 'cancelled';
create table if not exists opening_hours (
    weekday integer primary key check (weekday between 0 and 6),
    opens text not null,
    closes text not null
);
create table if not exists departments (
    name text primary key,
    also_called text not null
);
create table if not exists messages (
    id integer primary key,
    recipient text not null,
    caller text not null,
    text text not null,
    taken_at text not null
);
create table if not exists callbacks (
    id integer primary key,
    department text not null references departments (name),
    caller text not null,
    number text not null,
    asked_at text not null
);
create table if not exists survey_answers (
    call_id text not null,
    question text not null,
    answer text not null,
    answered_at text not null,
    primary key (call_id, question)
);
"""

_HOURS = [
    (0, "09:00", "17:00"),
    (1, "09:00", "17:00"),
    (2, "09:00", "17:00"),
    (3, "11:00", "19:00"),
    (4, "09:00", "13:00"),
]
_DEPARTMENTS = [
    ("billing", "bill,bills,invoice,invoices,payment,payments,accounts,accounting,building"),
    ("the dental laboratory", "lab,laboratory,labs,crown,denture"),
    ("Doctor Weber", "doctor,dentist,dr weber,weber,vapor,webber,the doctor"),
]
# Customer, weekday (0 is Monday), time of day.
_APPOINTMENTS = [
    ("Anna Lindt", 1, time(10, 30)),
    ("Omar Haddad", 2, time(14, 0)),
    ("Mia Berg", 3, time(15, 30)),
]


def prepare(connection: sqlite3.Connection, today: date) -> None:
    """Create missing tables and insert the sample data.

    Each sample customer always has a future appointment, so a reminder call also works with a
    store from last month or after a cancellation.
    Runs in one transaction, so two processes that open a new file do not both fill it.
    """
    connection.executescript(TABLES)
    connection.execute("begin immediate")
    if connection.execute("select count(*) from opening_hours").fetchone()[0] == 0:
        connection.executemany("insert into opening_hours values (?, ?, ?)", _HOURS)
        connection.executemany("insert into departments values (?, ?)", _DEPARTMENTS)
    for customer, weekday, at in _APPOINTMENTS:
        if not _has_appointment_after(connection, customer, today):
            _book_sample(connection, customer, _next(weekday, today), at)
    connection.commit()


def _has_appointment_after(connection: sqlite3.Connection, customer: str, today: date) -> bool:
    found = connection.execute(
        "select 1 from appointments where customer = ? and status <> 'cancelled'"
        " and starts_at >= ?",
        (customer, (today + timedelta(days=1)).isoformat()),
    )
    return found.fetchone() is not None


def _book_sample(connection: sqlite3.Connection, customer: str, day: date, at: time) -> None:
    """Book the time in the first week in which it is free."""
    while True:
        try:
            connection.execute(
                "insert into appointments (customer, starts_at, status) values (?, ?, 'booked')",
                (customer, datetime.combine(day, at).isoformat()),
            )
        except sqlite3.IntegrityError:
            day += timedelta(days=7)
        else:
            return


def _next(weekday: int, today: date) -> date:
    """Return the first such weekday that is at least two days ahead."""
    soonest = today + timedelta(days=2)
    return soonest + timedelta(days=(weekday - soonest.weekday()) % 7)
