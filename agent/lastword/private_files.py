"""Files with people's words or voices: for the owner only, under names that are no paths."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import IO

from lastword.errors import UnwritableFile

LONGEST_NAME = 200
"""Bytes of a name from ``file_name``; file systems take 255, so the rest is for suffixes."""

_ORDINARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*(?<!\.)")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, with any suffix."""


def file_name(text: str) -> str:
    """The one path component that stands for ``text``: a room, a call, a graph.

    An ordinary name (ASCII letters and digits, ``_ . + @ = -``; it neither begins with ``.``,
    ``+``, ``@``, ``=`` or ``-`` nor ends with a dot) stays as it is. Any other is replaced by what
    can be read of it, ``~`` and a hash of all of it. ``~`` is in no ordinary name, so two texts
    never share a file (where the file system ignores case, ordinary names that differ in nothing
    else do). The hash has 128 bits, because callers may choose names. A component fits into
    ``LONGEST_NAME`` bytes.
    """
    if len(text) <= LONGEST_NAME and _ORDINARY.fullmatch(text) and not _DEVICE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", text[:LONGEST_NAME])[:80].strip("-")
    return f"{readable or 'unnamed'}~{digest}"


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that its owner alone may read, complete or not at all.

    Missing folders are made for the owner alone too. A file that is there is replaced, whatever its
    rights; a symbolic link is not followed. A device or a pipe, such as ``/dev/null``, is written
    to.

    Raises:
        UnwritableFile: it cannot be written.
    """
    try:
        if _is_stream(path):
            with path.open("wb") as stream:
                yield stream
            return
        make_private_folder(path.parent)
        _refuse_link(path)
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                os.fchmod(descriptor, 0o600)  # a umask may have taken the owner's rights
                yield file
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnwritableFile(path, error) from error


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it, for the owner alone; those that are there stay as they
    are, as others may need them.

    Raises:
        UnwritableFile: it cannot be made.
    """
    try:
        missing = takewhile(lambda each: not each.exists(), (folder, *folder.parents))
        for each in reversed(list(missing)):
            with suppress(FileExistsError):  # another process was quicker
                each.mkdir(0o700)
                each.chmod(0o700)  # a umask may have taken the owner's rights
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise UnwritableFile(folder, error) from error


def keep_database_private(path: Path) -> None:
    """Let the owner alone read a SQLite file, before it is opened; it is made when it is missing.

    SQLite gives the files that it puts beside it (``-wal``, ``-shm``, ``-journal``) the same
    rights; those that are there already are changed too.

    Raises:
        UnwritableFile: it cannot be made, is a symbolic link, or is another user's.
    """
    make_private_folder(path.parent)
    try:
        if not os.path.lexists(path):
            _make_empty(path)
        for suffix in ("", "-wal", "-shm", "-journal"):
            _tighten(path.with_name(path.name + suffix))
    except OSError as error:
        raise UnwritableFile(path, error) from error


def _make_empty(path: Path) -> None:
    # Made under another name: closing a database file, for whatever reason, gives up all locks
    # that connections in this process have on it (sqlite.org/howtocorrupt.html, 2.2).
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        path.hardlink_to(name)
    except FileExistsError:
        pass  # another process was quicker
    except OSError:  # a file system without hard links
        path.touch(0o600)
    finally:
        Path(name).unlink()


def _tighten(path: Path) -> None:
    with suppress(FileNotFoundError):
        _refuse_link(path)
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link")


def _is_stream(path: Path) -> bool:
    """Whether it is a device or a pipe, and of the user or of the system, not somebody else's."""
    try:
        found = path.stat()
    except OSError:
        return False
    kind = stat.S_ISCHR(found.st_mode) or stat.S_ISFIFO(found.st_mode)
    return kind and found.st_uid in (0, os.geteuid())
