"""``make audit``: known vulnerabilities of what ``uv.lock`` names, found in OSV by ``uv audit``.

Exit codes: 0 for no findings, and for a database that cannot be reached, which is said; 1 for
findings; 2 when the audit itself failed. A finding that is accepted is written down in
``[tool.uv.audit]`` of pyproject.toml: ``ignore-until-fixed = ["GHSA-..."]``.
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
"""Of silence, after which nobody is there."""
AUDIT_SECONDS = 45.0
_AWAY = {502, 503, 504}
"""What a gateway answers when there is nobody behind it."""


def why_unreachable(url: str, seconds: float = REACH_SECONDS) -> str | None:
    """Say why nobody answers at ``url``; ``seconds`` bound each step of the connection.

    None: somebody does, whatever the answer is, or the URL is wrong; the audit's own words are
    better then. A certificate that is not trusted is no lack of a network either.
    """
    try:
        status = httpx.get(url, timeout=seconds).status_code
    except (httpx.ConnectError, httpx.TimeoutException, httpx.ProxyError) as error:
        return None if _is_about_certificates(error) else str(error) or type(error).__name__
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return f"HTTP {status}" if status in _AWAY else None


def audit(url: str, project: Path) -> int:
    """Audit all that the project's lock names, for every platform; returns the exit code.

    Raises:
        subprocess.TimeoutExpired: the database answers, but the audit does not come to an end.
    """
    command = (sys.executable, "-m", "uv", "audit", "--frozen", "--service-url", url)
    done = subprocess.run(  # noqa: S603 - our own arguments
        [*command, "--preview-features", "audit-command"],
        cwd=project,
        timeout=AUDIT_SECONDS,
        check=False,
    )
    return done.returncode


def main() -> None:
    """Audit the dependencies; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service-url", default=OSV, help="a database that speaks OSV's protocol")
    parser.add_argument("--project", type=Path, default=PROJECT_ROOT, help="where uv.lock lies")
    arguments = parser.parse_args()
    console = SafeConsole(soft_wrap=True, highlight=False)
    why = why_unreachable(arguments.service_url)
    if why is not None:
        console.print(f"{NOT_AUDITED} ({arguments.service_url}: {why})")
        return
    try:
        code = audit(arguments.service_url, arguments.project)
    except subprocess.TimeoutExpired:
        console.print(f"the audit did not come to an end within {AUDIT_SECONDS:g} s")
        code = 2
    sys.exit(code)


def _is_about_certificates(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


if __name__ == "__main__":
    main()
