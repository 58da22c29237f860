"""The store's file permissions: only the owner may read what callers said."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from itertools import takewhile
from pathlib import Path


def keep_private(path: Path) -> None:
    """Restrict a SQLite file to its owner before it is opened; create it if it is missing.

    Missing folders are created for the owner only; existing folders keep their permissions.
    SQLite gives its journal file the permissions of the database file.

    Raises:
        OSError: it cannot be created, is a symbolic link, or belongs to another user.
    """
    missing = takewhile(lambda folder: not folder.exists(), path.parents)
    for folder in reversed(list(missing)):
        with suppress(FileExistsError):
            folder.mkdir(0o700)
            folder.chmod(0o700)  # a umask may have removed the owner's permissions
    if not os.path.lexists(path):
        _make_empty(path)
    found = path.lstat().st_mode
    if not stat.S_ISREG(found):
        raise OSError(f"{str(path)!r} is a symbolic link or no file at all")
    if found & 0o077:
        path.chmod(stat.S_IMODE(found) & 0o700)


def _make_empty(path: Path) -> None:
    # Created under another name: closing a database file, for whatever reason, releases all locks
    # that connections in this process hold on it (sqlite.org/howtocorrupt.html, 2.2).
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    try:
        path.hardlink_to(name)
    except FileExistsError:
        pass  # another process created it first
    except OSError:  # a file system without hard links
        path.touch(0o600)
    finally:
        Path(name).unlink()
