"""List the installed packages whose licence is not permissive like Apache's.

``python -m tools.licences`` prints the tables of docs/licences.md, from the metadata and the files
of the packages that are installed here; ``--write`` writes them into the page. A package is listed
if its metadata names another licence or none, or if its wheel contains shared libraries of other
projects, whatever its metadata says. The page has the libraries of the wheels for Linux on x86-64.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.document import table, write_part
from lastword.terminal import SafeConsole

PROJECT_ROOT = Path(__file__).resolve().parents[1]

PAGE = PROJECT_ROOT / "docs" / "licences.md"
LIKE_APACHE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT",
    "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
"""SPDX names of permissive licences: they require attribution at most."""
_SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "MIT License, Apache License, Version 2.0": "MIT",
}
_OTHERS_LIBRARY = re.compile(
    r"(?P<name>lib[\w+-]+?)(-[0-9a-f]{8})*(\.so(\.\d+)*|(\.\d+)*\.dylib)", re.ASCII
)

REVIEWED = {
    "av": (
        "The metadata covers the Python source; the wheel has no licence texts for its libraries. "
        "FFmpeg reports `LGPL version 3 or later` (`python -m av --version`). But the same output "
        "says that it was built with `--enable-libx264 --enable-libx265`, and `libavcodec` is "
        "linked to both. Their owners offer them under the GPL (version 2 or later) or a paid "
        "licence. PyAV's maintainer answers: abide by the GPL-3.0, or negotiate with the owners "
        "([PyAV #2408](https://github.com/PyAV-Org/PyAV/issues/2408)). LiveKit Agents needs `av` "
        "to decode audio; Lastword does not import it. `pip install av --no-binary av` builds it "
        "with your own FFmpeg (see its `METADATA`)"
    ),
    "certifi": "Mozilla's list of certificates (`LICENSE` in its `.dist-info`)",
    "espeakng-loader": (
        "The wheel has no licence text. `libespeak-ng` is eSpeak NG, which its own project offers "
        "under the GPL, version 3 or later"
    ),
    "forbiddenfruit": (
        "Either of the two licences, as you choose (`COPYING` and `COPYING.mit` in its "
        "`.dist-info`); `langgraph dev` needs it"
    ),
    "langgraph-api": (
        "The server of `langgraph dev`. The Elastic License 2.0 (`LICENSE` in its `.dist-info`) "
        "does not allow offering it as a hosted service, or changing its licence keys"
    ),
    "langgraph-runtime-inmem": "A part of `langgraph dev`; the wheel has no licence text",
    "livekit": (
        "Contains WebRTC and its dependencies; `livekit/rtc/resources/LICENSE.md` has their "
        "licences. FFmpeg is one of them; for it, that file has the texts of the GPL and the LGPL"
    ),
    "livekit-local-inference": (
        "The models that detect speech and the ends of turns are under the LiveKit Model License "
        "(`MODEL_LICENSE` in its `.dist-info`). They may be used with LiveKit Agents only, and "
        "not to improve other models; installing them accepts it"
    ),
    "numpy": (
        "According to `LICENSE.txt` in its `.dist-info`, OpenBLAS is `BSD-3-Clause`, libgfortran "
        "`GPL-3.0-or-later WITH GCC-exception-3.1` and libquadmath `LGPL-2.1-or-later`"
    ),
    "orjson": "Parts of it are under the MPL (`LICENSE-MPL-2.0` in its `.dist-info`)",
    "pathspec": "The MPL 2.0 (`LICENSE` in its `.dist-info`); `langgraph dev` needs it",
    "pillow": "`LICENSE` in its `.dist-info` has the licences of the libraries",
    "psycopg": "The client of PostgreSQL (`LICENSE.txt` in its `.dist-info`)",
    "psycopg-binary": (
        "The compiled part of psycopg, with PostgreSQL's libpq and its dependencies; the wheel has "
        "no licence texts for these libraries"
    ),
    "psycopg-pool": "The connection pool of psycopg (`LICENSE.txt` in its `.dist-info`)",
    "soundfile": (
        "libsndfile is under the LGPL 2.1 (`_soundfile_data/COPYING`); "
        "`licensing/license_notes.md` lists what it contains, such as LAME and mpg123"
    ),
}
"""Notes on the packages in the tables; each package was reviewed by a person."""


@dataclass(frozen=True)
class Package:
    """An installed package, its licence from its metadata, and other projects' libraries in it."""

    name: str
    licence: str
    libraries: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether its licence is like Apache's and it contains no library of another project."""
        return is_like_apache(self.licence) and not self.libraries


def is_like_apache(licence: str) -> bool:
    """Whether every licence named in ``licence``, an SPDX expression or not, is like Apache's."""
    if licence in _SPELLINGS:
        return True
    names = [name.strip() for name in re.split(r"\s+(?:AND|OR)\s+|[()]", licence)]
    return any(names) and all(name in LIKE_APACHE for name in names if name)


def installed(
    requirements: Iterable[str], find: Callable[[str], Distribution] = distribution
) -> Iterator[Package]:
    """The packages that ``requirements`` install on this machine, sorted by name.

    Raises:
        PackageNotFoundError: one of the packages is not installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[str] = set()
    todo = list(requirements)
    while todo:
        text = todo.pop()
        if text in seen:
            continue
        seen.add(text)
        wanted = Requirement(text)
        package = found[canonicalize_name(wanted.name)] = find(wanted.name)
        todo += (one for one in package.requires or () if _applies(Requirement(one), wanted.extras))
    for name, package in sorted(found.items()):
        yield Package(name, _licence(package), _libraries(package))


def tables() -> dict[str, str]:
    """The generated parts of the page: ``default`` (the default installation) and ``extras``.

    Raises:
        LookupError: a package that must be listed is not in ``REVIEWED``.
    """
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    default = list(installed(project["dependencies"]))
    extras = installed(chain.from_iterable(project["optional-dependencies"].values()))
    return {
        "default": _table(default),
        "extras": _table(package for package in extras if package not in default),
    }


def main() -> None:
    """Print or write the tables; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    console = SafeConsole(soft_wrap=True, highlight=False)
    for name, text in tables().items():
        console.print(text)
        if arguments.write:
            write_part(PAGE, name, text)


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": one}) for one in (*extras, ""))


def _licence(package: Distribution) -> str:
    def stated(field: str) -> list[str]:
        return package.metadata.get_all(field) or []

    for text in stated("License-Expression") + stated("License"):
        if text.strip():
            return text.strip().partition("\n")[0]
    classifiers = [one for one in stated("Classifier") if one.startswith("License ::")]
    return " AND ".join(one.rpartition(" :: ")[2] for one in classifiers) or "none stated"


def _libraries(package: Distribution) -> tuple[str, ...]:
    matches = (_OTHERS_LIBRARY.fullmatch(file.name) for file in package.files or ())
    return tuple(sorted({match["name"] for match in matches if match}))


def _table(packages: Iterable[Package]) -> str:
    head = ("package", "licence in its metadata", "libraries in its wheel", "notes")
    return table(head, *[_row(package) for package in packages if not package.is_plain])


def _row(package: Package) -> tuple[str, ...]:
    name, libraries = package.name, ", ".join(package.libraries) or "none"
    if name not in REVIEWED:
        raise LookupError(
            f"{name} has not been reviewed (licence: {package.licence}; libraries: {libraries}): "
            "look at its licence and add a note to REVIEWED in tools/licences.py"
        )
    return f"`{name}`", package.licence, libraries, REVIEWED[name]


if __name__ == "__main__":
    main()
