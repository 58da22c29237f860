"""What people said lies in files for the owner alone, under names that are no paths."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from livekit import rtc

from graphs.store import Store, StoreUnavailable
from lastword.errors import UnwritableFile
from lastword.private_files import (
    LONGEST_NAME,
    file_name,
    keep_database_private,
    make_private_folder,
    private_file,
)
from lastword.room.speech_tap import WavTap
from lastword.testing.stage.call_recording import CallRecording
from lastword.testing.transcripts.call_transcript import write_transcript
from tests.fakes.an_event import an_event

NOBODY = 65_534
"""The user without rights, on Linux."""


@pytest.mark.parametrize(
    "name",
    ["survey", "survey-20261121-101500-123", "call-_+4930123_aB3xY", "RM_x1.2", "_", "a@b=c"],
)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert file_name(name) == name


@given(st.text() | st.text("./\\~-", max_size=9) | st.text(min_size=190))
@example("../../outside")
@example("/etc/passwd")
@example("..")
@example("")
@example("a\0b")
@example("a\n")
@example("nul.txt")
@example("\udcff")
@example("name.")
@example("C:stream")
def test_any_text_becomes_one_component_of_a_path_that_fits_with_its_suffixes(text: str) -> None:
    name = file_name(text)
    assert PurePosixPath(name).parts == PureWindowsPath(name).parts == (name,)
    assert name.isascii()
    assert name.isprintable()
    assert not PureWindowsPath(name).is_reserved()
    assert not name.startswith((".", "-", "~"))
    assert not name.endswith((".", " "))
    assert 0 < len(name.encode()) <= LONGEST_NAME


@given(st.text(), st.text())
@example("a/b", "a-b")
@example("a/b", "a\\b")
@example("", "unnamed")
@example("x" * 200, "x" * 201)
@example("x" * 400 + "1", "x" * 400 + "2")
@example("\ud83d\ude00", "\U0001f600")
def test_two_texts_never_have_the_same_name(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


@given(st.text())
def test_a_name_that_was_made_is_not_the_name_of_the_text_that_looks_like_it(text: str) -> None:
    made = file_name(text)
    assert made == text or file_name(made) != made


@pytest.mark.parametrize("text", ["../../outside", "/outside", "a/../../b", "x" * 1000, "\0", "."])
def test_what_is_written_under_a_name_stays_in_its_folder(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / (file_name(text) + ".sqlite3-journal")).touch()
    assert len(list(folder.iterdir())) == 1
    assert list(tmp_path.iterdir()) == [folder]


@pytest.fixture(params=[0, 0o022, 0o777], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def rights(folder: Path) -> dict[str, str]:
    """The rights of everything below a folder."""
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in folder.rglob("*")
    }


def transcript(path: Path) -> None:
    ended = an_event("call_ended", ended_by="graph", reason="done")
    write_transcript(path, {"graph": "survey"}, datetime(2026, 11, 27), [], [ended])


def recording(path: Path) -> None:
    call = CallRecording(0.0)
    call.caller.add(np.ones(480, np.int16), 0.01)
    call.write(path, 0.5)


def utterance(path: Path) -> None:
    async def speech() -> None:
        async def frames() -> AsyncIterator[rtc.AudioFrame]:
            yield rtc.AudioFrame(bytes(960), 48_000, 1, 480)

        async for _ in WavTap(path.parent, tone=False)(frames()):
            pass

    asyncio.run(speech())


def store(path: Path) -> None:
    asyncio.run(Store(path).opening_hours())


WRITTEN: dict[str, Callable[[Path], None]] = {
    "transcript.yaml": transcript,
    "recording.wav": recording,
    "recording.ogg": recording,
    "utterance-001.wav": utterance,
    "store.sqlite3": store,
}


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("name", WRITTEN)
def test_what_was_said_is_written_for_the_owner_alone(name: str, tmp_path: Path) -> None:
    WRITTEN[name](tmp_path / "calls" / "room" / name)
    assert rights(tmp_path) == {
        "calls": "0o700",
        "calls/room": "0o700",
        f"calls/room/{name}": "0o600",
    }


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_others_could_read_is_the_owners_alone_from_then_on(
    name: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / name).touch()
    (tmp_path / name).chmod(0o666)
    WRITTEN[name](tmp_path / name)
    assert rights(tmp_path) == {name: "0o600"}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "the folder is not ours"


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - {"utterance-001.wav"}))
def test_a_link_where_the_file_should_be_is_not_followed(name: str, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    for exists in (False, True):
        if exists:
            letter.write_text("Dear Anna")
        link = tmp_path / ("second-" * exists + name)
        link.symlink_to(letter)
        with pytest.raises((UnwritableFile, StoreUnavailable), match="symbolic link"):
            WRITTEN[name](link)
        assert link.is_symlink()
        assert letter.exists() == exists
    assert letter.read_text() == "Dear Anna"


@pytest.mark.usefixtures("_umask")
def test_a_file_is_never_readable_by_others_while_it_is_being_written(tmp_path: Path) -> None:
    with private_file(tmp_path / "report.json") as file:
        file.write(b"Anna")
        file.flush()
        assert set(rights(tmp_path).values()) == {"0o600"}
    assert (tmp_path / "report.json").read_bytes() == b"Anna"


def test_a_file_that_is_not_finished_leaves_the_one_before_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")
    with (
        pytest.raises(ZeroDivisionError),
        private_file(path) as file,
    ):
        file.write(b"%d" % (1 // 0))
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


def test_a_device_and_a_pipe_are_written_to_and_stay_what_they_are(tmp_path: Path) -> None:
    with private_file(Path(os.devnull)) as file:
        file.write(b"Anna")
    assert Path(os.devnull).is_char_device()
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with private_file(pipe) as file:
        file.write(b"Anna")
    assert os.read(reader, 10) == b"Anna"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_that_is_there_keeps_its_rights_and_those_below_it_are_private(
    tmp_path: Path,
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    make_private_folder(shared / "calls" / "room")
    assert rights(tmp_path) == {
        "shared": "0o775",
        "shared/calls": "0o700",
        "shared/calls/room": "0o700",
    }


@pytest.mark.parametrize("name", WRITTEN)
def test_what_cannot_be_written_is_one_sentence_that_names_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("a file where a folder should be")
    if name == "utterance-001.wav":
        WRITTEN[name](tmp_path / "calls" / name)  # the call goes on
        return
    with pytest.raises((UnwritableFile, StoreUnavailable), match="cannot be (written|used)") as no:
        WRITTEN[name](tmp_path / "calls" / name)
    assert str(tmp_path / "calls") in str(no.value)
    assert "\n" not in str(no.value)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder in which this process may not write, whoever runs the tests: root may everywhere."""
    with TemporaryDirectory() as name:
        folder, is_root = Path(name), os.geteuid() == 0
        if is_root:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o500)
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o700)


def test_a_folder_that_may_not_be_written_is_one_sentence(closed_folder: Path) -> None:
    denied = pytest.raises(UnwritableFile, match="Permission denied")
    with denied:
        make_private_folder(closed_folder / "calls" / "room")
    with denied, private_file(closed_folder / "report.json"):
        pass
    with denied:
        keep_database_private(closed_folder / "memory.sqlite3")


def test_a_database_keeps_what_is_in_it_and_the_locks_on_it(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite3"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as one,
        closing(sqlite3.connect(path, timeout=0)) as other,
    ):
        path.chmod(0o644)
        one.execute("create table words (word)")
        one.execute("begin immediate")
        keep_database_private(path)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("insert into words values ('Anna')")
        one.execute("commit")
        other.execute("insert into words values ('Anna')")
    assert rights(tmp_path) == {"memory.sqlite3": "0o600"}


def test_what_a_database_has_left_beside_it_is_the_owners_alone_too(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        (tmp_path / f"memory{suffix}").touch()
        (tmp_path / f"memory{suffix}").chmod(0o664)
    keep_database_private(tmp_path / "memory")
    assert set(rights(tmp_path).values()) == {"0o600"}
