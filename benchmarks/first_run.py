"""Time the first and the second ``make call`` of a new user: fresh clone, empty caches.

``python -m benchmarks.first_run [--without-go]`` clones HEAD into an empty folder and runs
``make call`` there twice. The environment has an empty home folder, so that no package, module or
build cache of this machine is used. ``--without-go`` also removes Go from the PATH.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lastword.settings import inherited_environment
from lastword.terminal import SafeConsole

PROJECT_ROOT = Path(__file__).resolve().parent.parent

DIALLED_IN = "the caller has dialled in"


def new_users_environment(home: Path, *, go: bool) -> dict[str, str]:
    """The environment of a user who has never run the project; ``go``: keep Go on the PATH."""
    inherited = inherited_environment()
    gone = ("GO", "UV_", "LIVEKIT_", "LASTWORD_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in inherited.items() if not name.startswith(gone)}
    path = [folder for folder in env["PATH"].split(":") if go or not (Path(folder) / "go").exists()]
    return env | {"HOME": str(home), "PATH": ":".join(path), "PIP_NO_CACHE_DIR": "1"}


def make_call(
    checkout: Path, env: dict[str, str], console: SafeConsole
) -> tuple[float, float, int]:
    """Run ``make call``.

    Returns the seconds until the caller has dialled in, the seconds until the end, and the exit
    code.
    """
    started = time.monotonic()
    dialled = 0.0
    with subprocess.Popen(
        ["make", "call"],
        cwd=checkout,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            console.print(f"{time.monotonic() - started:7.1f} {line.rstrip()}")
            if DIALLED_IN in line:
                dialled = time.monotonic() - started
    return dialled, time.monotonic() - started, process.returncode


def main() -> None:
    """Run the benchmark; the exit code is that of ``make call``, 0 if both calls succeeded."""
    console = SafeConsole(soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        checkout, home = Path(folder) / "lastword", Path(folder) / "home"
        home.mkdir()
        env = new_users_environment(home, go="--without-go" not in sys.argv)
        subprocess.run(
            ["git", "clone", "--quiet", str(PROJECT_ROOT), str(checkout)],
            check=True,
        )
        runs = [make_call(checkout, env, console) for _ in range(2)]
        subprocess.run(
            ["chmod", "-R", "u+w", str(home)], check=True
        )  # Go's module cache is read-only
    for name, (dialled, whole, code) in zip(("first", "second"), runs, strict=True):
        console.print(
            f"{name} make call: {dialled:.1f} s until the caller has dialled in, "
            f"{whole:.1f} s in total, exit code {code}"
        )
    raise SystemExit(max(code for *_, code in runs))


if __name__ == "__main__":
    main()
