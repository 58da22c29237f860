"""The events of ``session/test_p7_any_order``, on a real server whose API fails (P7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from livekit import api

from lastword.hangup.hang_up import MAX_SECONDS, Line, ParticipantLine, RoomLine
from lastword.hangup.phases import Phase
from lastword.signals import CallPolicy
from lastword.testing.stage.livekit_server import LocalServer
from tests.fakes.ended_call import AT_ONCE, SOURCES, EndedCall
from tests.fakes.fault_proxy import (
    Delay,
    DroppedAnswer,
    Fault,
    FaultProxy,
    Hang,
    Reset,
    ServerError,
    fault_proxy,
)
from tests.fakes.room_caller import RoomCaller, room_caller

SEEDS = range(20)
POLICY = CallPolicy(tail=0.05, farewell_max_wait=0.4, first_words_timeout=None)
FAULTS: list[Fault] = [
    Delay(0.3), ServerError(), ServerError(503, "unavailable"), Reset(), DroppedAnswer(),
]  # fmt: skip


@asynccontextmanager
async def a_call(
    server: LocalServer, proxy: FaultProxy, room: str, policy: CallPolicy = POLICY
) -> AsyncIterator[EndedCall]:
    """A call in ``room`` whose hang-up goes through the proxy; it ends with the block."""
    async with api.LiveKitAPI(proxy.url, server.api_key, server.api_secret) as client:
        caller = ParticipantLine("caller", client.room, room, lambda: "caller")
        lines: list[Line] = [RoomLine(client.room, room), caller]
        it = await EndedCall.begin(policy, lines[::-1] if policy.hang_up == "caller" else lines)
        yield it
        it.at_once("the worker is drained")
        with suppress(asyncio.CancelledError):
            await it.running


def trigger(it: EndedCall, chance: Random) -> None:
    """Trigger one random event."""
    deeds = [
        lambda: it.graph_ends(chance.choice(SOURCES)),
        lambda: it.at_once(chance.choice(sorted(AT_ONCE))),
        it.cancel,
    ]
    if it.farewells:
        farewell = chance.choice(it.farewells)
        deeds += [
            farewell.played,
            farewell.played,
            farewell.call_off,
            farewell.words_came,
            lambda: farewell.makes_sound(speaking=True),
            lambda: farewell.makes_sound(speaking=False),
        ]
    chance.choice(deeds)()


@pytest.mark.parametrize("seed", SEEDS)
async def test_p7_a_failing_server_takes_every_line_down_once(
    seed: int, server: LocalServer, room: str
) -> None:
    chance = Random(seed)  # noqa: S311 - the same calls in every run
    async with fault_proxy(server.http_url) as proxy, room_caller(server, room) as caller:
        for method in ("DeleteRoom", "ListRooms"):
            proxy.script(method, chance.choices(FAULTS, k=chance.randint(0, 2)))
        async with a_call(server, proxy, room) as it:
            it.graph_ends("node")
            for _ in range(chance.randint(1, 6)):
                trigger(it, chance)
                await asyncio.sleep(chance.uniform(0, 0.05))
                assert it.may_be_hung_up() or not proxy.requests
        async with asyncio.timeout(5):
            await caller.gone.wait()
    assert it.phase is Phase.GONE
    assert caller.reasons == ["ROOM_DELETED"]
    assert it.events.names.count("hanging_up") == it.events.names.count("call_ended") == 1


async def test_p7_a_room_that_cannot_be_deleted_is_emptied_of_its_caller(
    server: LocalServer, room: str
) -> None:
    async with fault_proxy(server.http_url) as proxy, room_caller(server, room) as caller:
        proxy.script("DeleteRoom", [ServerError(403, "permission_denied")])
        async with a_call(server, proxy, room) as it:
            it.at_once("a limit fires")
            await caller.gone.wait()
    assert caller.reasons == ["PARTICIPANT_REMOVED"]
    assert it.phase is Phase.GONE
    assert it.events.named("gone")[-1]["removed"] == "caller"


async def test_p7_a_server_that_never_answers_is_given_up_and_the_record_says_so(
    server: LocalServer, room: str
) -> None:
    began = asyncio.get_running_loop().time()
    async with fault_proxy(server.http_url) as proxy, room_caller(server, room) as caller:
        for method in ("DeleteRoom", "RemoveParticipant"):
            proxy.script(method, [Hang()] * 10)
        async with a_call(server, proxy, room) as it:
            it.at_once("a limit fires")
            await it.running
        assert caller.reasons == []
    assert it.phase is Phase.GIVEN_UP
    assert it.events.named("call_ended")[-1]["line_gone"] is False
    assert asyncio.get_running_loop().time() - began < 2 * MAX_SECONDS + 2


async def test_the_policy_chooses_who_is_removed_and_the_others_stay(
    server: LocalServer, room: str
) -> None:
    policy = CallPolicy(tail=0, hang_up="caller")
    async with (
        fault_proxy(server.http_url) as proxy,
        room_caller(server, room) as caller,
        server.api() as client,
    ):
        supervisor = RoomCaller(server, room, "supervisor")
        await supervisor.join()
        async with a_call(server, proxy, room, policy) as it:
            it.graph_ends("node")
            it.farewells[0].played()
            await caller.gone.wait()
        found = await client.room.list_participants(api.ListParticipantsRequest(room=room))
        await supervisor.leave()
    assert caller.reasons == ["PARTICIPANT_REMOVED"]
    assert [one.identity for one in found.participants] == ["supervisor"]
    assert it.phase is Phase.GONE
