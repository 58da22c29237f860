"""Stop a LiveKit server as an operator does, one signal at a time.

After the first signal livekit-server waits until all calls are over; a second one ends them. It
drops a signal that arrives before it has handled the last one.
"""

from __future__ import annotations

import asyncio
import signal

from lastword.testing.stage.livekit_server import LocalServer

HEARD = "exit requested"
"""What the server logs at each signal (livekit-server 1.11, cmd/server/main.go)."""
SECONDS = 20.0


async def tell_to_stop(server: LocalServer) -> None:
    """Send SIGTERM and wait until the server has logged it."""
    times = await _heard(server) + 1
    server.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(SECONDS):
        while await _heard(server) < times:  # noqa: ASYNC110 - a file has no event to wait for
            await asyncio.sleep(0.05)


async def _heard(server: LocalServer) -> int:
    log = await asyncio.to_thread(server.log.read_text)
    return log.count(HEARD)
