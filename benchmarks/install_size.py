"""Size and import time of a plain install, beside LiveKit Agents with its LangChain plugin.

``python -m benchmarks.install_size [--write]`` installs both and every extra into virtual
environments, at the versions of the lock file, and prints the tables of docs/install.md;
``--write`` puts them there. A size is that of all files in ``site-packages`` without compiled
ones. A time is the CPU time of the fastest of ``RUNS`` processes, less that of a Python that
imports nothing: an import waits for nothing else, and other processes do not change it much.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.document import PROJECT_ROOT, table, write_part
from lastword.terminal import SafeConsole
from tests.fakes.user_project import UserProject, build_wheel, lastword_from, user_project

PAGE = PROJECT_ROOT / "docs" / "install.md"
RUNS = 5
STOCK = ("livekit-agents", "livekit-plugins-langchain")
IMPORTS = (
    ("stock", "from livekit.plugins.langchain import LLMAdapter"),
    ("plain", "from lastword import GraphLLM"),
    ("plain", "import lastword.worker"),
    ("plain", "from lastword import CallState, CallPolicy, end_call"),
    ("plain", "import langgraph.graph"),
    ("plain", "import lastword"),
)


def main() -> None:
    """Print or write the tables; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    console = SafeConsole(soft_wrap=True, highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tables(Path(folder)).items():
            console.print(text)
            if arguments.write:
                write_part(PAGE, name, text)


def tables(folder: Path) -> dict[str, str]:
    """Install everything below ``folder`` and measure it; the parts of the page, by name."""
    wheel = build_wheel(folder / "dist")
    plain = installed(folder / "plain", lastword_from(wheel))
    stock = installed(folder / "stock", STOCK)
    extras = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    plain_size, plain_names = measured(plain)
    rows = []
    for extra in extras:
        project = installed(folder / extra, lastword_from(wheel, f"[{extra}]"))
        size, names = measured(project)
        rows.append((f"`{extra}`", f"{len(names - plain_names)}", _megabytes(size - plain_size)))
    stock_size, stock_names = measured(stock)
    projects = {"plain": plain, "stock": stock}
    return {
        "size": table(
            ("", "packages", "MB"),
            ("`lastword`", f"{len(plain_names)}", _megabytes(plain_size)),
            (f"`{' '.join(STOCK)}`", f"{len(stock_names)}", _megabytes(stock_size)),
        ),
        "extras": table(("extra", "packages more", "MB more"), *rows),
        "imports": table(
            ("", "seconds"),
            *[(f"`{code}`", f"{seconds(projects[which], code):.2f}") for which, code in IMPORTS],
        ),
    }


def installed(folder: Path, requirements: Sequence[str]) -> UserProject:
    """A new virtual environment with ``requirements``."""
    project = user_project(folder / "project")
    project.install(*requirements)
    return project


def measured(project: UserProject) -> tuple[int, set[str]]:
    """Bytes in ``site-packages`` without compiled files, and the names of the packages."""
    files = (file for file in project.packages.rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in files if file.suffix != ".pyc")
    names = {path.name.partition("-")[0] for path in project.packages.glob("*.dist-info")}
    return size, names


def seconds(project: UserProject, code: str) -> float:
    """CPU time of an import in a new process; the files are compiled and in the page cache."""
    _cpu_seconds(project, code)  # compiles
    return min(_cpu_seconds(project, code) - _cpu_seconds(project, "") for _ in range(RUNS))


def _cpu_seconds(project: UserProject, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = project.run("python", "-c", code)
    if ran.code:
        raise RuntimeError(ran.printed)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}" if size >= 1e7 else f"{size / 1e6:.1f}"


if __name__ == "__main__":
    main()
