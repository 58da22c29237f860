"""The settings, read once at start from the environment and ``.env``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lastword.errors import SettingsError
from lastword.memory.memory_url import QUOTE, MemoryPlace, read_memory_url
from lastword.untrusted.printable import is_clear_url, public_url

_WITHOUT_KEYS = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM"),
    *("LANG", "LANGUAGE", "LC_*", "TZ"),
    *("TMPDIR", "TEMP", "TMP", "XDG_*"),
    *("PYTHON[A-Z]*", "VIRTUAL_ENV"),
    *("LD_*", "DYLD_*", "LIVEKIT_LIB_PATH"),  # paths of shared libraries
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Patterns of the variables that every child process may get. It is an allow list, because nobody
knows the names of all the keys on a machine."""
LEAST_STALL = 2.0
"""Seconds: twice the time that two heartbeats and two checks of them may take on a busy machine."""
_URLS = ("livekit_url", "graph_url", "deepgram_base_url", "cartesia_base_url", "openai_base_url")
STRICT_CHECKPOINTS = "LANGGRAPH_STRICT_MSGPACK"
"""LangGraph's own environment variable."""


class Settings(BaseSettings):
    """Settings of the worker and of the commands.

    A field's name is the variable's name in lower case, unless it has an alias. An explicit
    argument takes precedence over the environment, and the environment over ``.env``.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a password, and tracebacks show this error
    )

    livekit_url: str | None = None
    livekit_api_key: str | None = None
    livekit_api_secret: SecretStr | None = None

    agent_name: str = Field("lastword", alias="LASTWORD_AGENT_NAME")
    graph: str | None = Field(None, alias="LASTWORD_GRAPH")
    """Graph for calls whose dispatch names none; default: the first in ``langgraph.json``."""
    graphs_config: Path = Field(Path("langgraph.json"), alias="LASTWORD_GRAPHS_CONFIG")
    graph_url: str | None = Field(None, pattern="^https?://", alias="LASTWORD_GRAPH_URL")
    """URL of a LangGraph server that runs the graphs of ``langgraph.json``; default: the
    worker runs them."""
    graph_memory: MemoryPlace | None = Field(None, alias="LASTWORD_GRAPH_MEMORY")
    """Database for the graphs' checkpoints, set as a URL; default: the job process's memory."""
    calls_dir: Path = Field(Path("calls"), alias="LASTWORD_CALLS_DIR")
    """Folder for transcripts and recordings of rehearsed calls."""
    closing_tone: bool = Field(default=False, alias="LASTWORD_CLOSING_TONE")
    """For measurements only: play a tone after the last word to mark the farewell's exact end."""
    speech_dir: Path | None = Field(None, alias="LASTWORD_SPEECH_DIR")
    """For measurements only: folder for the audio of each utterance, as it was sent."""
    idle_processes: int | None = Field(None, ge=0, alias="LASTWORD_IDLE_PROCESSES")
    max_calls: int | None = Field(None, gt=0, alias="LASTWORD_MAX_CALLS")
    """Most calls that the worker runs at once; default: LiveKit decides by the CPU load."""
    job_memory_warn_mb: float = Field(512, ge=0, alias="LASTWORD_JOB_MEMORY_WARN_MB")
    """Memory of a job's process, in MiB, above which a warning is logged; 0: never. It counts the
    process's share of memory that several processes share. The default is half the limit."""
    job_memory_limit_mb: float = Field(1024, ge=0, alias="LASTWORD_JOB_MEMORY_LIMIT_MB")
    """Memory, in MiB, above which LiveKit kills a job's process and the worker ends its call; 0:
    no limit. The default is several times what a call needs. A graph that loads its own models may
    need more."""
    job_stall_seconds: float = Field(10, ge=0, alias="LASTWORD_JOB_STALL_SECONDS")
    """Seconds for which a job's event loop may stall before the worker ends its call, 2 or more; 0:
    no limit, for use with a debugger.

    The default is about the time that a caller waits for an answer (LiveKit's own limit is 60 s).
    """
    health_host: str = Field("127.0.0.1", alias="LASTWORD_HEALTH_HOST")
    """Address of the health check; a probe from another machine needs ``0.0.0.0``."""
    health_port: int = Field(8081, ge=0, le=65535, alias="LASTWORD_HEALTH_PORT")

    providers: Literal["auto", "offline", "production"] = Field("auto", alias="LASTWORD_PROVIDERS")
    language: str = Field("en", alias="LASTWORD_LANGUAGE")
    deepgram_api_key: SecretStr | None = None
    deepgram_base_url: str = "https://api.deepgram.com/v1/listen"
    stt_model: str = Field("nova-3", alias="LASTWORD_STT_MODEL")
    cartesia_api_key: SecretStr | None = None
    cartesia_base_url: str = "https://api.cartesia.ai"
    tts_model: str = Field("sonic-3", alias="LASTWORD_TTS_MODEL")
    tts_voice: str | None = Field(None, alias="LASTWORD_TTS_VOICE")
    openai_api_key: SecretStr | None = None
    """Used only by the judge of test conversations; a graph configures its own chat model."""
    openai_base_url: str | None = None
    judge_model: str = Field("gpt-4.1-mini", alias="LASTWORD_JUDGE_MODEL")

    @field_validator("job_stall_seconds")
    @classmethod
    def _above_the_beat(cls, seconds: float) -> float:
        if 0 < seconds < LEAST_STALL:
            raise ValueError(f"must be 0 (never) or at least {LEAST_STALL:g}")
        return seconds

    @field_validator("graph_memory", mode="before")
    @classmethod
    def _read_memory_url(cls, url: object) -> object:
        return read_memory_url(url) if isinstance(url, str) else url

    @field_validator(*_URLS, mode="before")
    @classmethod
    def _refuse_unclear_url(cls, url: object, about: ValidationInfo) -> object:
        """Refuse an ambiguous URL here: the libraries' errors would quote it or parts of it."""
        if isinstance(url, str) and url and not is_clear_url(url):
            name = str(about.field_name)
            raise SettingsError(
                f"{(cls.model_fields[name].alias or name).upper()} is not a clear URL such as "
                f"https://user:password@host:443/path: {QUOTE}, and in the path @ as %40"
            )
        return url

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the URLs without the parts that may be secret."""
        for name, value in super().__repr_args__():
            shown = public_url(value) if name in _URLS and isinstance(value, str) else value
            yield name, shown

    def chosen_providers(self) -> Literal["offline", "production"]:
        """Choose the set of speech models.

        Raises:
            SettingsError: some of the production keys are set and some are not.
        """
        if self.providers == "offline":
            return "offline"
        keys = {
            "DEEPGRAM_API_KEY": self.deepgram_api_key,
            "CARTESIA_API_KEY": self.cartesia_api_key,
        }
        there = [name for name, value in keys.items() if value]
        missing = [name for name, value in keys.items() if not value]
        if not there and self.providers == "auto":
            return "offline"
        if missing:
            have = " and ".join(there) or "LASTWORD_PROVIDERS=production"
            raise SettingsError(
                f"{have} is set, so {' and '.join(missing)} must be set too; or set "
                "LASTWORD_PROVIDERS=offline to run without keys"
            )
        return "production"

    def announcement(self) -> str:
        """One line that names the speech models of a call.

        Raises:
            SettingsError: some of the production keys are set and some are not.
        """
        if self.chosen_providers() == "offline":
            is_asked_for = self.providers == "offline"
            why = "LASTWORD_PROVIDERS=offline is set" if is_asked_for else "No speech keys are set"
            return (
                f"{why}: using the offline speech models, for tests only "
                "(pocketsphinx recognises speech, espeak-ng speaks)."
            )
        return (
            f"Deepgram {self.stt_model} recognises speech, Cartesia {self.tts_model} speaks; "
            f"language {self.language}."
        )

    def livekit(self) -> tuple[str, str, str]:
        """URL, key and secret of the LiveKit server.

        Raises:
            SettingsError: one or more of them are not set.
        """
        found = {
            "LIVEKIT_URL": self.livekit_url,
            "LIVEKIT_API_KEY": self.livekit_api_key,
            "LIVEKIT_API_SECRET": self.livekit_api_secret
            and self.livekit_api_secret.get_secret_value(),
        }
        values = [value for value in found.values() if value]
        if len(values) < len(found):
            missing = " and ".join(name for name, value in found.items() if not value)
            raise SettingsError(
                f"{missing} must be set: the worker needs a LiveKit server "
                "(`make call` starts its own server and needs no settings)"
            )
        url, key, secret = values
        return url, key, secret


def read_settings() -> Settings:
    """Read the settings from the environment and ``.env``.

    Raises:
        SettingsError: a value is invalid; the message names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        why = first["msg"].removeprefix("Value error, ")  # pydantic adds this prefix
        raise SettingsError(f"{name} is wrong: {why}") from error


def inherited_environment() -> dict[str, str]:
    """The environment for a child process that needs the keys, such as a worker."""
    return dict(os.environ)  # noqa: TID251 - the only place that passes it on


def environment_without_keys(*more: str) -> dict[str, str]:
    """The environment for a child process that needs no keys: only the allowed variables.

    Args:
        more: names or patterns (``*_PROXY``) of additional variables to pass on.
    """
    allowed = (*_WITHOUT_KEYS, *more)
    return {
        name: value
        for name, value in inherited_environment().items()
        if any(fnmatchcase(name, pattern) for pattern in allowed)
    }


@contextmanager
def offline_answers() -> Iterator[None]:
    """Set ``LASTWORD_PROVIDERS=offline`` in the block, for graphs that are imported there.

    A graph that can answer without its chat model, for example by rules, reads the variable and
    does so. Conversations are then replayed as written, whatever keys are set. Other graphs ignore
    the variable.
    """
    environment = os.environ  # noqa: TID251 - graphs read it themselves
    before = environment.get("LASTWORD_PROVIDERS")
    environment["LASTWORD_PROVIDERS"] = "offline"
    try:
        yield
    finally:
        if before is None:
            environment.pop("LASTWORD_PROVIDERS", None)
        else:
            environment["LASTWORD_PROVIDERS"] = before


def choose_chat_model(name: str) -> None:
    """Set ``LASTWORD_CHAT_MODEL``, which graphs may read; call it before they are imported."""
    os.environ["LASTWORD_CHAT_MODEL"] = name  # noqa: TID251 - graphs read it themselves


def make_checkpoints_strict() -> None:
    """Stop LangGraph from creating objects of unregistered types from checkpoints.

    It applies to this process and its child processes. Call it before LangGraph is imported, which
    reads the variable once. It protects graphs that are compiled with their own checkpointer; the
    worker's memory does not depend on it (``memory_types``). A value that is already set is kept.
    """
    environment = os.environ  # noqa: TID251 - LangGraph reads it itself
    if not environment.get(STRICT_CHECKPOINTS):
        environment[STRICT_CHECKPOINTS] = "true"
