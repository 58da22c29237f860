"""Write files that hold what people said, readable by their owner only and under safe names."""

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
"""Bytes of a name from ``file_name``; file systems allow 255, and the rest is for suffixes."""

_ORDINARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*(?<!\.)")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows reserves for devices, with any suffix."""


def file_name(text: str) -> str:
    """Map ``text``, such as the name of a room, call or graph, to one safe path component.

    An ordinary name is returned unchanged: it consists of ASCII letters, digits and
    ``_ . + @ = -``, does not begin with ``.``, ``+``, ``@``, ``=`` or ``-``, and does not end with
    a dot. Any other text becomes its readable characters, ``~`` and a hash of the whole text. An
    ordinary name has no ``~``, so two texts never share a file (except ordinary names that differ
    only in case, on a file system that ignores case). The hash has 128 bits, because
    callers may choose names. The result has at most ``LONGEST_NAME`` bytes.
    """
    if len(text) <= LONGEST_NAME and _ORDINARY.fullmatch(text) and not _DEVICE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", text[:LONGEST_NAME])[:80].strip("-")
    return f"{readable or 'unnamed'}~{digest}"


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces ``path`` when the block succeeds (mode 0600).

    Missing folders are created with mode 0700. An existing file is replaced whatever its mode. A
    symbolic link is refused. A device or a pipe, such as ``/dev/null``, is written directly.

    Raises:
        UnwritableFile: the file cannot be written.
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
                os.fchmod(descriptor, 0o600)  # a umask may have removed the owner's permissions
                yield file
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnwritableFile(path, error) from error


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 0700; existing folders are not changed.

    Raises:
        UnwritableFile: the folder cannot be created.
    """
    try:
        missing = takewhile(lambda each: not each.exists(), (folder, *folder.parents))
        for each in reversed(list(missing)):
            with suppress(FileExistsError):  # another process has created it
                each.mkdir(0o700)
                each.chmod(0o700)  # a umask may have removed the owner's permissions
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise UnwritableFile(folder, error) from error


def keep_database_private(path: Path) -> None:
    """Restrict a SQLite file to its owner before it is opened; a missing file is created.

    SQLite creates its companion files (``-wal``, ``-shm``, ``-journal``) with the same permissions.
    Existing companion files are restricted too.

    Raises:
        UnwritableFile: the file cannot be created, is a symbolic link, or belongs to another user.
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
    # It is created under another name, because closing a database file releases all locks that
    # connections in this process hold on it (sqlite.org/howtocorrupt.html, 2.2).
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        path.hardlink_to(name)
    except FileExistsError:
        pass  # another process has created it
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
    """Whether ``path`` is a device or a pipe that belongs to this user or to root."""
    try:
        found = path.stat()
    except OSError:
        return False
    kind = stat.S_ISCHR(found.st_mode) or stat.S_ISFIFO(found.st_mode)
    return kind and found.st_uid in (0, os.geteuid())
