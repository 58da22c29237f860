"""The list of licences is what is installed, and a new licence does not come in unseen."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest

from benchmarks.document import read_part
from tools.licences import PAGE, REVIEWED, installed, is_like_apache, tables

IS_LISTED_PLATFORM = (sys.platform, platform.machine()) == ("linux", "x86_64")


class Shelf:
    """Packages as they are installed: each a ``.dist-info`` folder with METADATA and RECORD."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, *metadata: str, files: tuple[str, ...] = ()) -> None:
        info = self._folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        head = ("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0")
        (info / "METADATA").write_text("\n".join((*head, *metadata)) + "\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))

    def find(self, name: str) -> Distribution:
        for found in Distribution.discover(name=name, path=[str(self._folder)]):
            return found
        raise PackageNotFoundError(name)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_nobody_installs_a_licence_or_a_library_that_is_not_written_about() -> None:
    assert all(tables().values())  # else a LookupError says of which package


@pytest.mark.skipif(not IS_LISTED_PLATFORM, reason="wheels for other platforms differ")
@pytest.mark.parametrize("part", ["default", "extras"])
def test_the_page_lists_what_is_installed(part: str) -> None:
    assert read_part(PAGE, part) == tables()[part]


@pytest.mark.skipif(not IS_LISTED_PLATFORM, reason="wheels for other platforms differ")
def test_nothing_is_written_about_that_is_not_listed() -> None:
    page = PAGE.read_text()
    assert [name for name in REVIEWED if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    ("licence", "like_apache"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-2-Clause", True),
        ("Apache-2.0 AND (MIT OR BSD-3-Clause)", True),
        ("BSD License", True),
        ("MPL-2.0", False),
        ("LGPL-3.0-only", False),
        ("MIT OR GPL-2.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", False),
        ("Apache-2.0 AND LicenseRef-LiveKit-Model", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("Other/Proprietary License", False),
        ("All rights reserved", False),
        ("none stated", False),
        ("", False),
        ("()", False),
    ],
)
def test_only_a_known_licence_is_like_apaches(licence: str, *, like_apache: bool) -> None:
    assert is_like_apache(licence) is like_apache


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        (["License-Expression: MIT", "Classifier: License :: Public Domain"], "MIT"),
        (["License: MIT License", "        ", "        Permission is ..."], "MIT License"),
        (["Classifier: License :: OSI Approved :: ISC License (ISCL)"], "ISC License (ISCL)"),
        (
            ["Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: Other"],
            "MIT License AND Other",
        ),
        (["Classifier: Topic :: Database"], "none stated"),
    ],
)
def test_a_licence_is_read_wherever_a_package_states_it(
    metadata: list[str], licence: str, shelf: Shelf
) -> None:
    shelf.put("table", *metadata)
    assert [package.licence for package in installed(["table"], shelf.find)] == [licence]


def test_what_a_dependency_of_a_dependency_brings_counts(shelf: Shelf) -> None:
    shelf.put("table", "License-Expression: MIT", "Requires-Dist: Leg[Wooden]>=1")
    shelf.put(
        "leg",
        "License-Expression: MIT",
        "Provides-Extra: wooden",
        "Requires-Dist: Table",
        'Requires-Dist: glue; extra == "wooden"',
        'Requires-Dist: weld; extra == "steel"',
        'Requires-Dist: winglue; sys_platform == "win32"',
    )
    shelf.put("glue", "License-Expression: AGPL-3.0-only")
    found = {package.name: package.is_plain for package in installed(["table"], shelf.find)}
    assert found == {"table": True, "leg": True, "glue": False}


@pytest.mark.parametrize(
    ("file", "libraries"),
    [
        ("table.libs/libglue-9393c086.so.4.1.0", ["libglue"]),
        ("numpy.libs/libgfortran-040039e1-0352e75f.so.5.0.0", ["libgfortran"]),
        ("table/.dylibs/libglue.1.dylib", ["libglue"]),
        ("table/libglue.so", ["libglue"]),
        ("table/_native.cpython-311-x86_64-linux-gnu.so", []),
        ("table/_core.abi3.so", []),
        ("table/library.py", []),
        ("table/libglue.so.md", []),
    ],
)
def test_a_library_of_others_is_found_in_a_wheel(
    file: str, libraries: list[str], shelf: Shelf
) -> None:
    shelf.put("table", "License-Expression: MIT", files=(file,))
    [package] = installed(["table"], shelf.find)
    assert (list(package.libraries), package.is_plain) == (libraries, not libraries)
