"""The handlers that livekit-agents can register for data from participants.

An upgrade that adds a handler fails here with its name. ``tests/room/test_strangers.py`` checks the
handlers of a running job.
"""

from __future__ import annotations

import re
from pathlib import Path

import livekit.agents

SOURCES = Path(livekit.agents.__file__).parent
REGISTERS = re.compile(
    r"\.(register_byte_stream_handler|register_text_stream_handler|register_rpc_method)\("
    r"""|\.on\(\s*["'](data_received|transcription_received|sip_dtmf_received)["']"""
)
KNOWN = {
    ("voice/remote_session.py", "register_byte_stream_handler"): "session_host=False",
    ("voice/room_io/_pre_connect_audio.py", "register_byte_stream_handler"): "pre_connect_audio",
    ("voice/room_io/room_io.py", "register_text_stream_handler"): "text_input=False",
    ("voice/room_io/room_io.py", "sip_dtmf_received"): "looks at the linked participant only",
    ("voice/avatar/_datastream_io.py", "register_rpc_method"): "no avatar is used",
    ("voice/avatar/_datastream_io.py", "register_byte_stream_handler"): "no avatar is used",
    ("beta/workflows/dtmf_inputs.py", "sip_dtmf_received"): "not used",
}
"""Source file and handler, and why it is not a risk in a call of Lastword."""


def test_livekit_agents_registers_only_known_handlers() -> None:
    found = {
        (str(file.relative_to(SOURCES)), next(name for name in match.groups() if name))
        for file in SOURCES.rglob("*.py")
        for match in REGISTERS.finditer(file.read_text(encoding="utf-8"))
    }
    assert found == set(KNOWN)
