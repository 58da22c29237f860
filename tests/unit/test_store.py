"""The practice's store keeps what is written and offers only what is free."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from graphs.store import (
    PracticeContext,
    SlotTaken,
    Store,
    StoreSettings,
    UnknownAppointment,
    call_store,
)

MONDAY = datetime(2026, 11, 23, 8, 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "not" / "there" / "yet.sqlite3", clock=lambda: MONDAY)


async def test_a_new_store_is_made_with_its_folder_and_a_sample_practice(store: Store) -> None:
    appointment = await store.next_appointment("anna lindt")
    assert appointment is not None
    assert appointment["customer"] == "Anna Lindt"
    assert datetime.fromisoformat(appointment["starts_at"]) > MONDAY
    assert len(await store.opening_hours()) == 5
    assert await store.departments()


async def test_two_processes_that_open_a_new_file_fill_it_once(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "store.sqlite3", clock=lambda: MONDAY) for _ in range(16)]
    await asyncio.gather(*(store.opening_hours() for store in stores))
    found = await stores[0]._rows("select * from appointments")  # noqa: SLF001 - no public list
    assert len(found) == 3


async def test_only_times_in_opening_hours_that_nobody_has_are_free(store: Store) -> None:
    anna = await store.next_appointment("Anna Lindt")
    assert anna is not None
    free = await store.free_slots(500)
    hours = {each["weekday"]: each for each in await store.opening_hours()}
    assert anna["starts_at"] not in free
    assert free == sorted(free)
    for slot in map(datetime.fromisoformat, free):
        day = hours[slot.weekday()]
        assert day["opens"] <= slot.strftime("%H:%M") < day["closes"]
        assert slot.date() > MONDAY.date()


async def test_free_times_can_be_limited_to_a_weekday_and_to_later(store: Store) -> None:
    thursday = await store.free_slots(2, weekday=3)
    assert {datetime.fromisoformat(slot).weekday() for slot in thursday} == {3}
    later = await store.free_slots(1, weekday=3, after=thursday[0])
    assert later == thursday[1:]
    assert await store.free_slots(3, weekday=6) == []


async def test_a_moved_appointment_takes_one_time_and_frees_the_other(store: Store) -> None:
    anna = await store.next_appointment("Anna Lindt")
    assert anna is not None
    slot = (await store.free_slots(1))[0]
    await store.move_appointment(anna["id"], slot)
    free = await store.free_slots(500)
    assert slot not in free
    assert anna["starts_at"] in free
    moved = await store.appointment(anna["id"])
    assert moved is not None
    assert (moved["starts_at"], moved["status"]) == (slot, "confirmed")


async def test_a_time_that_somebody_has_is_not_given_twice(store: Store) -> None:
    anna = await store.next_appointment("Anna Lindt")
    omar = await store.next_appointment("Omar Haddad")
    assert anna is not None
    assert omar is not None
    with pytest.raises(SlotTaken):
        await store.move_appointment(anna["id"], omar["starts_at"])
    assert await store.appointment(anna["id"]) == anna


async def test_a_cancelled_appointment_is_no_next_one_and_its_time_is_free(store: Store) -> None:
    anna = await store.next_appointment("Anna Lindt")
    assert anna is not None
    await store.cancel_appointment(anna["id"])
    assert await store.next_appointment("Anna Lindt") is None
    assert anna["starts_at"] in await store.free_slots(500)


async def test_what_is_not_there_is_not_changed(store: Store) -> None:
    with pytest.raises(UnknownAppointment, match="4711"):
        await store.confirm_appointment(4711)
    assert await store.appointment(4711) is None


async def test_an_old_store_has_appointments_ahead_again(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    first = await Store(path, clock=lambda: MONDAY).next_appointment("Anna Lindt")
    a_year_on = MONDAY.replace(year=2027)
    second = await Store(path, clock=lambda: a_year_on).next_appointment("Anna Lindt")
    assert first is not None
    assert second is not None
    assert second["starts_at"] > a_year_on.isoformat()
    assert second["id"] != first["id"]


@pytest.mark.parametrize(
    ("words", "department"),
    [
        ("could i speak to billing please", "billing"),
        ("somebody about my invoice", "billing"),
        ("put me through to the dentist", "Doctor Weber"),
        ("the crown is broken", "the dental laboratory"),
        ("the manager", None),
    ],
)
async def test_a_department_is_found_by_what_callers_call_it(
    store: Store, words: str, department: str | None
) -> None:
    assert await store.find_department(words) == department


async def test_messages_callbacks_and_answers_are_kept(store: Store) -> None:
    await store.add_message("Doctor Weber", "Anna", "ten minutes late")
    await store.add_callback("billing", "Anna", "5551234567")
    await store.record_answer("call-1", "rating", "4")
    await store.record_answer("call-1", "rating", "5")
    assert [row["text"] for row in await store.messages()] == ["ten minutes late"]
    assert [row["number"] for row in await store.callbacks()] == ["5551234567"]
    assert await store.survey_answers("call-1") == {"rating": "5"}


def test_the_store_of_a_call_is_the_one_its_context_names(tmp_path: Path) -> None:
    context = PracticeContext(store_path=str(tmp_path / "a.sqlite3"))
    assert call_store(context) is call_store(context)
    assert call_store(context) is not call_store(None)


def test_the_path_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_STORE", "/somewhere/else.sqlite3")
    assert StoreSettings().path == Path("/somewhere/else.sqlite3")
