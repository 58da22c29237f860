"""A loopback server for OSV's protocol, and a locked project with one dependency."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes.loopback import served

ADVISORY = {
    "id": "GHSA-fake",
    "summary": "leaks what it is told",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
        }
    ],
}
_PROJECT = """
[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["leaky==1.0"]
"""
_LOCK = """
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "leaky"
version = "1.0"
source = {{ registry = "{url}/simple" }}
wheels = [{{ url = "{url}/leaky-1.0-py3-none-any.whl", hash = "sha256:{no_hash}" }}]

[[package]]
name = "shop"
version = "1.0"
source = {{ virtual = "." }}
dependencies = [{{ name = "leaky" }}]
"""


@dataclass(frozen=True)
class Advisories:
    """An advisory database; ``status`` and ``body``, if set, answer every request."""

    vulnerable: bool = False
    status: int = 200
    body: str | None = None

    async def _find(self, request: web.Request) -> web.Response:
        """Answer ``POST /v1/querybatch``."""
        found = {"vulns": [{key: ADVISORY[key] for key in ("id", "modified")}]}
        queries = (await request.json())["queries"]
        return web.json_response({"results": [found if self.vulnerable else {} for _ in queries]})

    async def _tell(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/vulns/...``."""
        return web.json_response(ADVISORY)

    def app(self) -> web.Application:
        """The database as a web application."""

        @web.middleware
        async def as_told(request: web.Request, handler: Any) -> web.StreamResponse:
            if self.status != 200 or self.body is not None:
                return web.Response(status=self.status, text=self.body)
            answer: web.StreamResponse = await handler(request)
            return answer

        app = web.Application(middlewares=[as_told])
        app.router.add_post("/v1/querybatch", self._find)
        app.router.add_get("/v1/vulns/{id}", self._tell)
        return app


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accept connections and never answer; yields the URL."""

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def advisories(database: Advisories, project: Path) -> AsyncIterator[str]:
    """Serve ``database``; lock ``project`` to packages that exist only there; yields the URL."""
    async with served(database.app()) as url:
        (project / "pyproject.toml").write_text(_PROJECT)
        (project / "uv.lock").write_text(_LOCK.format(url=url, no_hash="0" * 64))
        yield url
