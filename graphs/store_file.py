"""The file of the practice's store: nobody but its owner may read what callers said."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from itertools import takewhile
from pathlib import Path


def keep_private(path: Path) -> None:
    """Let the owner alone read a SQLite file, before it is opened; it is made when it is missing.

    Missing folders are made for the owner alone; those that are there stay as they are. SQLite
    gives its journal the rights of the file.

    Raises:
        OSError: it cannot be made, is a symbolic link, or is another user's.
    """
    missing = takewhile(lambda folder: not folder.exists(), path.parents)
    for folder in reversed(list(missing)):
        with suppress(FileExistsError):
            folder.mkdir(0o700)
            folder.chmod(0o700)  # a umask may have taken the owner's rights
    if not os.path.lexists(path):
        _make_empty(path)
    found = path.lstat().st_mode
    if not stat.S_ISREG(found):
        raise OSError(f"{str(path)!r} is a symbolic link or no file at all")
    if found & 0o077:
        path.chmod(stat.S_IMODE(found) & 0o700)


def _make_empty(path: Path) -> None:
    # Made under another name: closing a database file, for whatever reason, gives up all locks
    # that connections in this process have on it (sqlite.org/howtocorrupt.html, 2.2).
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    try:
        path.hardlink_to(name)
    except FileExistsError:
        pass  # another process was quicker
    except OSError:  # a file system without hard links
        path.touch(0o600)
    finally:
        Path(name).unlink()
