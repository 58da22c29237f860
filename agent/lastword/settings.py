"""Everything that can be set, read once at start from the environment and ``.env``."""

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
    *("LD_*", "DYLD_*", "LIVEKIT_LIB_PATH"),  # where libraries are
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Patterns of variables that any process may have: a list of what is allowed, as nobody knows what
all the keys of a machine are called."""
LEAST_STALL = 2.0
"""Seconds that two signs of life and two looks at them may take on a busy machine, doubled."""
_URLS = ("livekit_url", "graph_url", "deepgram_base_url", "cartesia_base_url", "openai_base_url")
STRICT_CHECKPOINTS = "LANGGRAPH_STRICT_MSGPACK"
"""LangGraph's own variable."""


class Settings(BaseSettings):
    """Settings of the worker and of the commands.

    Field names are the variables' names in lower case, unless an alias says otherwise; an
    explicit argument wins over the environment, the environment over ``.env``.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a password, and the error is the cause of ours
    )

    livekit_url: str | None = None
    livekit_api_key: str | None = None
    livekit_api_secret: SecretStr | None = None

    agent_name: str = Field("lastword", alias="LASTWORD_AGENT_NAME")
    graph: str | None = Field(None, alias="LASTWORD_GRAPH")
    """Graph of a call whose dispatch names none; default: the first in ``langgraph.json``."""
    graphs_config: Path = Field(Path("langgraph.json"), alias="LASTWORD_GRAPHS_CONFIG")
    graph_url: str | None = Field(None, pattern="^https?://", alias="LASTWORD_GRAPH_URL")
    """A LangGraph server that runs the graphs of ``langgraph.json``; default: the worker does."""
    graph_memory: MemoryPlace | None = Field(None, alias="LASTWORD_GRAPH_MEMORY")
    """Where graphs remember their calls, set as a URL; without it, in the job's process."""
    calls_dir: Path = Field(Path("calls"), alias="LASTWORD_CALLS_DIR")
    """Where transcripts and recordings of rehearsed calls go."""
    closing_tone: bool = Field(default=False, alias="LASTWORD_CLOSING_TONE")
    """Measurement only: a tone after the last word makes the farewell's end exact."""
    speech_dir: Path | None = Field(None, alias="LASTWORD_SPEECH_DIR")
    """Measurement only: the audio of each utterance is written there, as it was sent."""
    idle_processes: int | None = Field(None, ge=0, alias="LASTWORD_IDLE_PROCESSES")
    max_calls: int | None = Field(None, gt=0, alias="LASTWORD_MAX_CALLS")
    """Calls that the worker takes at once; without it LiveKit goes by the load of the CPU."""
    job_memory_warn_mb: float = Field(512, ge=0, alias="LASTWORD_JOB_MEMORY_WARN_MB")
    """MiB of memory (its share of what processes share counted in) above which the log warns of a
    job's process; 0: never. Half the limit."""
    job_memory_limit_mb: float = Field(1024, ge=0, alias="LASTWORD_JOB_MEMORY_LIMIT_MB")
    """MiB above which LiveKit ends a job's process, and the worker its call; 0: no limit. Several
    times what a call needs; a graph that loads models of its own may need more."""
    job_stall_seconds: float = Field(10, ge=0, alias="LASTWORD_JOB_STALL_SECONDS")
    """Seconds for which a job's event loop may stand still before its call is ended, 2 or more; 0:
    for ever, as a debugger's breakpoint needs it.

    A caller waits for an answer about as long (LiveKit's own limit is 60 s).
    """
    health_host: str = Field("127.0.0.1", alias="LASTWORD_HEALTH_HOST")
    """Address of the health check; an orchestrator that probes from outside needs ``0.0.0.0``."""
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
    """Only the judge of test conversations asks with it: a graph brings its own chat model."""
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
        """Refuse it here, as every library has its own error, which quotes the URL or a piece."""
        if isinstance(url, str) and url and not is_clear_url(url):
            name = str(about.field_name)
            raise SettingsError(
                f"{(cls.model_fields[name].alias or name).upper()} is not a URL such as "
                f"https://user:password@host:443/path: {QUOTE}, and in the path @ as %40"
            )
        return url

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the URLs without what may be a secret in them."""
        for name, value in super().__repr_args__():
            shown = public_url(value) if name in _URLS and isinstance(value, str) else value
            yield name, shown

    def chosen_providers(self) -> Literal["offline", "production"]:
        """Choose the set of speech models.

        Raises:
            SettingsError: some of the production keys are there and some are not.
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
            have = f"{' and '.join(there)} set" if there else "LASTWORD_PROVIDERS=production"
            raise SettingsError(
                f"{have}, but {' and '.join(missing)} missing: set what is missing, or "
                "LASTWORD_PROVIDERS=offline to try without keys"
            )
        return "production"

    def announcement(self) -> str:
        """One line that says which models hear and speak in a call.

        Raises:
            SettingsError: the keys are half-set.
        """
        if self.chosen_providers() == "offline":
            why = "As asked" if self.providers == "offline" else "No keys for speech are set"
            return (
                f"{why}: the offline set is used, for trying and testing "
                "(pocketsphinx hears, espeak-ng speaks)."
            )
        return (
            f"Deepgram {self.stt_model} hears, Cartesia {self.tts_model} speaks; "
            f"language {self.language}."
        )

    def livekit(self) -> tuple[str, str, str]:
        """URL, key and secret of the LiveKit server.

        Raises:
            SettingsError: one of the three is not set.
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
                f"{missing} not set: the worker needs a LiveKit server "
                "(`make call` needs none, it starts its own)"
            )
        url, key, secret = values
        return url, key, secret


def read_settings() -> Settings:
    """Read the settings from the environment and ``.env``.

    Raises:
        SettingsError: a value is of the wrong kind; the message names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        why = first["msg"].removeprefix("Value error, ")  # pydantic's words for a validator's
        raise SettingsError(f"{name} is wrong: {why}") from error


def inherited_environment() -> dict[str, str]:
    """The environment for a process that we start and that needs our keys, such as a worker."""
    return dict(os.environ)  # noqa: TID251 - the one place that hands it on


def environment_without_keys(*more: str) -> dict[str, str]:
    """The environment for a process that we start and that needs no key: what makes programs run.

    Args:
        more: further variables that it needs, by name or pattern (``*_PROXY``).
    """
    allowed = (*_WITHOUT_KEYS, *more)
    return {
        name: value
        for name, value in inherited_environment().items()
        if any(fnmatchcase(name, pattern) for pattern in allowed)
    }


@contextmanager
def offline_answers() -> Iterator[None]:
    """Set ``LASTWORD_PROVIDERS=offline`` meanwhile, for graphs that are imported.

    A graph that can answer without its chat model, as by rules, reads the variable and does so:
    conversations are replayed as they are written, whatever keys are set. Other graphs ignore it.
    """
    environment = os.environ  # noqa: TID251 - graphs read it by themselves
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
    os.environ["LASTWORD_CHAT_MODEL"] = name  # noqa: TID251 - this module stands for the environment


def make_checkpoints_strict() -> None:
    """Let LangGraph make no objects of unregistered types from checkpoints, in this process and
    those it starts; call it before LangGraph is imported, which reads the variable then and once.

    It protects the graphs that are compiled with a checkpointer of their own; the worker's memory
    does not depend on it (``memory_types``). A value that is set stays.
    """
    environment = os.environ  # noqa: TID251 - LangGraph reads it by itself
    if not environment.get(STRICT_CHECKPOINTS):
        environment[STRICT_CHECKPOINTS] = "true"
