"""The practice's data: a small SQLite store behind async methods.

Errors::

    StoreError
    ├── StoreUnavailable     the file cannot be written
    ├── SlotTaken            another customer has that time; offer another one
    └── UnknownAppointment   no such appointment; nothing was written
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import TypedDict

from graphs.store_file import keep_private
from graphs.store_schema import prepare
from graphs.understanding import normalise
from lastword.signals import CallContext

_SLOT_STARTS = (time(9, 0), time(10, 30), time(11, 30), time(14, 0), time(15, 30), time(17, 30))
_SLOT_LENGTH = timedelta(minutes=45)
_HORIZON_DAYS = 60
_Result = TypeVar("_Result")


class StoreError(Exception):
    """The store refused an operation; nothing was written."""


class StoreUnavailable(StoreError):
    """The store's file cannot be written. Make it writable, or set another path."""

    def __init__(self, path: Path, error: OSError) -> None:
        why = error.strerror or error
        super().__init__(f"the store {str(path)!r} cannot be used ({why}): change LASTWORD_STORE")


class SlotTaken(StoreError):
    """Another customer has that time. Offer another one."""

    def __init__(self, starts_at: str) -> None:
        super().__init__(f"{starts_at!r} is taken")


class UnknownAppointment(StoreError):
    """There is no appointment with that id."""

    def __init__(self, appointment_id: int) -> None:
        super().__init__(f"there is no appointment {appointment_id!r}")


class StoreSettings(BaseSettings):
    """Path of the store, read from the environment and ``.env``."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    path: Path = Field(Path("calls/store.sqlite3"), alias="LASTWORD_STORE")
    """Relative to the working directory; the folder is created if it is missing."""


class PracticeContext(CallContext, total=False):
    """A call's context plus ``store_path``; without it, the path in the settings is used."""

    store_path: str


class Appointment(TypedDict):
    """An appointment; ``starts_at`` is local time in ISO form, ``status`` as in the table."""

    id: int
    customer: str
    starts_at: str
    status: str


class OpeningHours(TypedDict):
    """Hours of one weekday (0 is Monday) as "HH:MM"."""

    weekday: int
    opens: str
    closes: str


class Store:
    """The practice's store in the file ``path``, created with its folder on first use.

    Every method opens a new connection in a thread, so nothing blocks the event loop and any
    number of processes can share the file.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = datetime.now) -> None:
        self._path = path
        self._clock = clock
        self._prepared = False

    async def appointment(self, appointment_id: int) -> Appointment | None:
        """Return the appointment with that id, even if it is cancelled; None if there is none."""
        found = await self._rows("select * from appointments where id = ?", appointment_id)
        return _appointment(found[0]) if found else None

    async def next_appointment(self, customer: str | None = None) -> Appointment | None:
        """Return the next appointment that is not cancelled, of one customer or of any."""
        found = await self._rows(
            "select * from appointments where status <> 'cancelled' and starts_at > ?"
            " and (? is null or lower(customer) = lower(?)) order by starts_at limit 1",
            self._now(),
            customer,
            customer,
        )
        return _appointment(found[0]) if found else None

    async def free_slots(
        self, count: int, *, weekday: int | None = None, after: str | None = None
    ) -> list[str]:
        """Return the next free times in opening hours, from tomorrow on, in ISO form.

        Args:
            count: how many at most.
            weekday: only on that day of the week (0 is Monday).
            after: only later than this ISO time.
        """
        hours = {each["weekday"]: each for each in await self.opening_hours()}
        taken = {
            row["starts_at"]
            for row in await self._rows("select * from appointments where status <> 'cancelled'")
        }
        days = (self._clock().date() + timedelta(days=ahead) for ahead in range(1, _HORIZON_DAYS))
        slots = (
            start.isoformat()
            for day in days
            if day.weekday() in hours and weekday in (None, day.weekday())
            for start in _slots_of(day, hours[day.weekday()])
        )
        free = (slot for slot in slots if slot not in taken and (after is None or slot > after))
        return [slot for slot, _ in zip(free, range(count), strict=False)]

    async def confirm_appointment(self, appointment_id: int) -> None:
        """Record that the customer will come.

        Raises:
            UnknownAppointment: there is no appointment with that id.
        """
        await self._change("status = 'confirmed'", appointment_id)

    async def cancel_appointment(self, appointment_id: int) -> None:
        """Cancel an appointment, so that its time is free again.

        Raises:
            UnknownAppointment: there is no appointment with that id.
        """
        await self._change("status = 'cancelled'", appointment_id)

    async def move_appointment(self, appointment_id: int, starts_at: str) -> None:
        """Move an appointment to another time; it then counts as confirmed.

        Raises:
            SlotTaken: another customer has that time.
            UnknownAppointment: there is no appointment with that id.
        """
        try:
            await self._change("status = 'confirmed', starts_at = ?", appointment_id, starts_at)
        except sqlite3.IntegrityError as error:
            raise SlotTaken(starts_at) from error

    async def opening_hours(self) -> list[OpeningHours]:
        """Return the hours of the days on which the practice is open, Monday first."""
        rows = await self._rows("select * from opening_hours order by weekday")
        return [
            OpeningHours(weekday=row["weekday"], opens=row["opens"], closes=row["closes"])
            for row in rows
        ]

    async def departments(self) -> list[str]:
        """Return the names of the departments in alphabetical order."""
        rows = await self._rows("select name from departments order by lower(name)")
        return [row["name"] for row in rows]

    async def find_department(self, words: str) -> str | None:
        """Return the department named in ``words``, by its name or another name for it."""
        heard = f" {normalise(words)} "
        for row in await self._rows("select * from departments"):
            names = [normalise(row["name"]), *row["also_called"].split(",")]
            if any(f" {name} " in heard for name in names):
                return str(row["name"])
        return None

    async def add_message(self, recipient: str, caller: str, text: str) -> int:
        """Write down a message for ``recipient``; return its id."""
        return await self._insert(
            "insert into messages (recipient, caller, text, taken_at) values (?, ?, ?, ?)",
            recipient,
            caller,
            text,
            self._now(),
        )

    async def messages(self) -> list[Mapping[str, Any]]:
        """Return all messages, oldest first."""
        return await self._rows("select * from messages order by id")

    async def add_callback(self, department: str, caller: str, number: str) -> int:
        """Write down that ``department`` is to call ``caller`` back; return its id."""
        return await self._insert(
            "insert into callbacks (department, caller, number, asked_at) values (?, ?, ?, ?)",
            department,
            caller,
            number,
            self._now(),
        )

    async def callbacks(self) -> list[Mapping[str, Any]]:
        """Return all requested callbacks, oldest first."""
        return await self._rows("select * from callbacks order by id")

    async def record_answer(self, call_id: str, question: str, answer: str) -> None:
        """Record a survey answer; a second answer to a question in one call replaces the first."""
        await self._insert(
            "insert or replace into survey_answers values (?, ?, ?, ?)",
            call_id,
            question,
            answer,
            self._now(),
        )

    async def survey_answers(self, call_id: str) -> dict[str, str]:
        """Return the answers of one call, question → answer."""
        rows = await self._rows("select * from survey_answers where call_id = ?", call_id)
        return {row["question"]: row["answer"] for row in rows}

    async def _change(self, what: str, appointment_id: int, *values: str) -> None:
        def change(connection: sqlite3.Connection) -> int:
            # `what` is one of the constants above, never a caller's words.
            return connection.execute(
                f"update appointments set {what} where id = ?",  # noqa: S608
                (*values, appointment_id),
            ).rowcount

        if await asyncio.to_thread(self._run, change) == 0:
            raise UnknownAppointment(appointment_id)

    async def _insert(self, statement: str, *values: str) -> int:
        return await asyncio.to_thread(
            self._run, lambda connection: connection.execute(statement, values).lastrowid or 0
        )

    async def _rows(self, query: str, *values: str | int | None) -> list[Mapping[str, Any]]:
        def read(connection: sqlite3.Connection) -> list[Mapping[str, Any]]:
            return [dict(row) for row in connection.execute(query, values)]

        return await asyncio.to_thread(self._run, read)

    def _run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run ``work`` in a transaction, in the current thread."""
        try:
            keep_private(self._path)
        except OSError as error:
            raise StoreUnavailable(self._path, error) from error
        with closing(sqlite3.connect(self._path, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma foreign_keys = on")
            if not self._prepared:
                prepare(connection, self._clock().date())
                self._prepared = True
            with connection:
                return work(connection)

    def _now(self) -> str:
        return self._clock().replace(microsecond=0).isoformat()


_DEFAULT_PATH = StoreSettings().path


@cache
def _store_at(path: Path) -> Store:
    return Store(path)


def call_store(context: PracticeContext | None) -> Store:
    """Return the store of a call; without a context, as in Studio, it is the default store."""
    path = (context or {}).get("store_path")
    return _store_at(Path(path) if path else _DEFAULT_PATH)


def _appointment(row: Mapping[str, Any]) -> Appointment:
    return Appointment(
        id=row["id"],
        customer=row["customer"],
        starts_at=row["starts_at"],
        status=row["status"],
    )


def _slots_of(day: date, hours: OpeningHours) -> list[datetime]:
    """Return the start times on ``day`` whose treatment fits into the opening hours."""
    opens = datetime.combine(day, time.fromisoformat(hours["opens"]))
    closes = datetime.combine(day, time.fromisoformat(hours["closes"]))
    starts = [datetime.combine(day, at) for at in _SLOT_STARTS]
    return [start for start in starts if opens <= start and start + _SLOT_LENGTH <= closes]
