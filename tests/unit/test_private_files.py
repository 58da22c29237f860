"""What people said lies in files for the owner alone, under names that are no paths."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.private_files import LONGEST_NAME, file_name


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
