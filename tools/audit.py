"""``make audit``: look up the packages in ``uv.lock`` in OSV, with ``uv audit``.

Exit codes: 0 if there are no findings, or if the database cannot be reached (a message says so); 1
if there are findings; 2 if the audit failed. Accept a finding in ``[tool.uv.audit]`` of
pyproject.toml: ``ignore-until-fixed = ["GHSA-..."]``.
"""

from __future__ import annotations

import argparse
import ssl
import subprocess
import sys
from pathlib import Path

import httpx

from lastword.terminal import SafeConsole

PROJECT_ROOT = Path(__file__).resolve().parent.parent

OSV = "https://api.osv.dev/"
NOT_AUDITED = "no advisory database could be reached: the dependencies were NOT audited"
REACH_SECONDS = 5.0
"""Time limit of each step of the connection."""
AUDIT_SECONDS = 45.0
_AWAY = {502, 503, 504}
"""HTTP status codes of a gateway whose server cannot be reached."""


def why_unreachable(url: str, seconds: float = REACH_SECONDS) -> str | None:
    """Return why no server answers at ``url``; ``seconds`` limits each step of the connection.

    None if a server answers, whatever the answer is. None too if the URL is invalid or the
    certificate is not trusted: then the audit fails with a better message.
    """
    try:
        status = httpx.get(url, timeout=seconds).status_code
    except (httpx.ConnectError, httpx.TimeoutException, httpx.ProxyError) as error:
        return None if _is_about_certificates(error) else str(error) or type(error).__name__
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return f"HTTP {status}" if status in _AWAY else None


def audit(url: str, project: Path) -> int:
    """Audit all packages in the project's lock, for every platform; returns the exit code.

    Raises:
        subprocess.TimeoutExpired: the audit did not finish within ``AUDIT_SECONDS``.
    """
    command = (sys.executable, "-m", "uv", "audit", "--frozen", "--service-url", url)
    done = subprocess.run(  # noqa: S603 - the arguments are ours
        [*command, "--preview-features", "audit-command"],
        cwd=project,
        timeout=AUDIT_SECONDS,
        check=False,
    )
    return done.returncode


def main() -> None:
    """Audit the dependencies; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service-url", default=OSV, help="a database with OSV's API")
    parser.add_argument("--project", type=Path, default=PROJECT_ROOT, help="the folder of uv.lock")
    arguments = parser.parse_args()
    console = SafeConsole(soft_wrap=True, highlight=False)
    why = why_unreachable(arguments.service_url)
    if why is not None:
        console.print(f"{NOT_AUDITED} ({arguments.service_url}: {why})")
        return
    try:
        code = audit(arguments.service_url, arguments.project)
    except subprocess.TimeoutExpired:
        console.print(f"the audit did not finish within {AUDIT_SECONDS:g} s")
        code = 2
    sys.exit(code)


def _is_about_certificates(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


if __name__ == "__main__":
    main()
