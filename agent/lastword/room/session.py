"""An agent session in a room that takes input from the caller only, and sends text to nobody else.

With LiveKit's defaults, every participant can read and control the session by data streams, and
receives all transcriptions. Here the only input is the caller's audio, and only the caller receives
transcriptions.
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
    """Start a session in a room: audio in both directions, and both transcriptions to the caller.

    Args:
        room: the connected room.
        caller: identity of the caller, who may be disconnected at this moment.
        session: the session.
        agent: the agent.
    """
    await session.start(
        agent,
        room=cast("rtc.Room", _CallerOnlyRoom(room, caller)),
        room_options=room_io.RoomOptions(
            text_input=False,
            audio_input=room_io.AudioInputOptions(pre_connect_audio=False),
            participant_identity=caller,
            participant_kinds=rtc.ParticipantKind.values(),  # the caller has already been chosen
        ),
        session_host=False,
        record=False,
    )


class _CallerOnlyRoom:
    """A room whose text streams go to the caller only.

    LiveKit's session sends its text to all participants, even those that may not subscribe to
    audio, and has no option to change this.
    """

    def __init__(self, room: rtc.Room, caller: str) -> None:
        self._room = room
        self._caller = caller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._room, name)

    @property
    def local_participant(self) -> _CallerOnlyAgent:
        """The agent's participant, restricted to the caller."""
        return _CallerOnlyAgent(self._room.local_participant, self._caller)


class _CallerOnlyAgent:
    """The agent's participant, whose text streams go to the caller only."""

    def __init__(self, agent: rtc.LocalParticipant, caller: str) -> None:
        self._agent = agent
        self._caller = caller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    async def stream_text(self, **options: Any) -> rtc.TextStreamWriter:
        """Open a text stream to the caller; LiveKit sends transcriptions this way."""
        options["destination_identities"] = [self._caller]
        return await self._agent.stream_text(**options)

    async def publish_transcription(self, transcription: rtc.Transcription) -> None:
        """Send nothing: this older form of a transcription always goes to all participants."""
