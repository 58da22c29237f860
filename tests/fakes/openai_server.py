"""A loopback server for OpenAI's chat API with scripted answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.loopback import served

Answer = str | tuple[str, dict[str, Any]]


@dataclass
class FakeOpenAI:
    """Gives one scripted answer per request; a request beyond the script gets an error 500.

    An answer is text, streamed word by word, or a tool call: a name and its arguments.
    """

    answers: Sequence[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer ``POST /v1/chat/completions``, streamed or whole as requested."""
        asked = await request.json()
        self.requests.append(asked)
        if len(self.requests) > len(self.answers):
            return web.json_response({"error": {"message": "the script is over"}}, status=500)
        words = self.answers[len(self.requests) - 1]
        if not asked.get("stream"):
            return web.json_response(_body("chat.completion", message=_said(words)))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        chunks = [f"{one} " for one in words.split(" ")] if isinstance(words, str) else [words]
        for chunk in [*chunks, None]:
            delta = {} if chunk is None else _said(chunk)
            event = json.dumps(_body("chat.completion.chunk", delta=delta))
            await response.write(f"data: {event}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


def _said(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"role": "assistant", "content": answer}
    name, arguments = answer
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "call_fake", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _body(kind: str, **choice: Any) -> dict[str, Any]:
    finish = "stop" if choice.get("delta") == {} or "message" in choice else None
    return {
        "id": "chatcmpl-fake",
        "object": kind,
        "created": 0,
        "model": "fake",
        "choices": [{"index": 0, "finish_reason": finish, **choice}],
    }


@asynccontextmanager
async def fake_openai(*answers: Answer) -> AsyncIterator[FakeOpenAI]:
    """Serve ``answers`` on a free loopback port."""
    server = FakeOpenAI(answers)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    async with served(app) as url:
        server.base_url = f"{url}/v1"
        yield server
