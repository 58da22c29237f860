"""A session in a room: it hears the caller and speaks to them, and hears of nobody else.

With LiveKit's defaults, everybody in the room can read and drive the session by data streams, and
reads all that is said as text. Here nothing but the caller's voice comes in, and the words go out
to the caller only.
"""

from __future__ import annotations

from typing import Any, cast

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice import room_io

from lastword.room.call_agent import CallAgent


async def start_in(
    room: rtc.Room, caller: str, session: AgentSession[None], agent: CallAgent
) -> None:
    """Bring a session into a room: audio both ways, and the words of both sides to the caller.

    Args:
        room: the connected room.
        caller: identity of the caller, who need not be there at this moment.
        session: the session.
        agent: the agent.
    """
    await session.start(
        agent,
        room=cast("rtc.Room", _RoomOfTheCaller(room, caller)),
        room_options=room_io.RoomOptions(
            text_input=False,
            audio_input=room_io.AudioInputOptions(pre_connect_audio=False),
            participant_identity=caller,
            participant_kinds=rtc.ParticipantKind.values(),  # who the caller is, is decided
        ),
        session_host=False,
        record=False,
    )


class _RoomOfTheCaller:
    """The room, in which what the session writes goes to the caller.

    LiveKit's session writes to everybody, those who may not even listen included, and has no
    option for it.
    """

    def __init__(self, room: rtc.Room, caller: str) -> None:
        self._room = room
        self._caller = caller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._room, name)

    @property
    def local_participant(self) -> _WritesToTheCaller:
        """The agent."""
        return _WritesToTheCaller(self._room.local_participant, self._caller)


class _WritesToTheCaller:
    """The agent's participant, whose text streams go to the caller."""

    def __init__(self, agent: rtc.LocalParticipant, caller: str) -> None:
        self._agent = agent
        self._caller = caller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    async def stream_text(self, **options: Any) -> rtc.TextStreamWriter:
        """Open a text stream, which a transcription is."""
        options["destination_identities"] = [self._caller]
        return await self._agent.stream_text(**options)

    async def publish_transcription(self, transcription: rtc.Transcription) -> None:
        """Send nothing: this older form of a transcription can have no addressee."""
