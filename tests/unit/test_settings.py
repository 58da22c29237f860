"""Settings are checked before any call is taken, and a mistake names its variable."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from lastword.errors import SettingsError
from lastword.settings import (
    STRICT_CHECKPOINTS,
    Settings,
    inherited_environment,
    make_checkpoints_strict,
    read_settings,
)

ALL_KEYS: dict[str, Any] = {"deepgram_api_key": "d", "cartesia_api_key": "c"}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"LASTWORD_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_keys_the_offline_set_is_chosen() -> None:
    assert Settings().chosen_providers() == "offline"


def test_with_all_keys_the_production_set_is_chosen() -> None:
    assert Settings(**ALL_KEYS).chosen_providers() == "production"


def test_the_key_of_a_graphs_chat_model_chooses_no_speech_models() -> None:
    assert Settings(openai_api_key="o").chosen_providers() == "offline"
    assert Settings(**ALL_KEYS, openai_api_key=None).chosen_providers() == "production"


@pytest.mark.parametrize("missing", list(ALL_KEYS))
def test_half_set_keys_name_the_missing_variable(missing: str) -> None:
    settings = Settings(**{**ALL_KEYS, missing: None})
    with pytest.raises(SettingsError, match=f"{missing.upper()} must be set too"):
        settings.chosen_providers()


def test_offline_can_be_asked_for_with_keys_set() -> None:
    assert Settings(providers="offline", **ALL_KEYS).chosen_providers() == "offline"


def test_production_without_keys_says_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="DEEPGRAM_API_KEY and CARTESIA_API_KEY must be set"):
        Settings(providers="production").chosen_providers()


def test_a_worker_without_livekit_names_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="^LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set"):
        Settings(livekit_url="ws://127.0.0.1").livekit()


def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_HEALTH_PORT", "many")
    with pytest.raises(SettingsError, match="^LASTWORD_HEALTH_PORT is wrong"):
        read_settings()


def test_keys_do_not_show_in_print() -> None:
    assert "topsecret" not in repr(Settings(openai_api_key="topsecret"))


def test_the_environment_wins_over_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("LASTWORD_GRAPH=survey\nLASTWORD_LANGUAGE=de\n")
    monkeypatch.setenv("LASTWORD_LANGUAGE", "fr")
    settings = read_settings()
    assert (settings.graph, settings.language) == ("survey", "fr")


URLS = [
    "LIVEKIT_URL",
    "LASTWORD_GRAPH_URL",
    "DEEPGRAM_BASE_URL",
    "CARTESIA_BASE_URL",
    "OPENAI_BASE_URL",
]


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "url",
    [
        "https://anna:topsecret",
        "https://anna:top/secret@host/",
        "https://anna:top?secret@host/",
        "https://anna:topsecret@host:port/",
        "anna:topsecret@host/",
        "topsecret",
    ],
)
def test_a_url_that_cannot_be_understood_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(SettingsError, match=f"^{name} .*write @ as %40") as refused:
        read_settings()
    assert "secret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("name", [*URLS, "LASTWORD_HEALTH_PORT", "LASTWORD_PROVIDERS"])
def test_a_refused_value_is_not_quoted_not_even_by_the_cause(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LASTWORD_GRAPH_URL", "ftp://anna:topsecret@host/?token=topsecret")
    monkeypatch.setenv(name, "ftp://anna:topsecret@host/?token=topsecret")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert "secret" not in "".join(traceback.format_exception(refused.value))


def test_urls_show_in_print_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_PROVIDERS", "offline")
    for name in URLS:
        monkeypatch.setenv(name, "https://anna:hun%40ter2@host:443/path?token=hunter2")
    settings = read_settings()
    assert settings.graph_url == "https://anna:hun%40ter2@host:443/path?token=hunter2"
    for text in (repr(settings), str(settings), settings.announcement()):
        assert "ter2" not in text
    assert repr(settings).count("https://host:443/path") == len(URLS)


@pytest.mark.parametrize(
    ("before", "after"), [(None, "true"), ("", "true"), ("false", "false"), ("1", "1")]
)
def test_checkpoints_are_read_strictly_unless_somebody_has_said_otherwise(
    before: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STRICT_CHECKPOINTS, before or "")
    if before is None:
        monkeypatch.delenv(STRICT_CHECKPOINTS)
    make_checkpoints_strict()
    assert inherited_environment()[STRICT_CHECKPOINTS] == after


@pytest.mark.parametrize("seconds", ["0.1", "1", "1.9"])
def test_a_job_may_stand_still_for_two_seconds_or_for_ever(
    monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("LASTWORD_JOB_STALL_SECONDS", "0")
    assert read_settings().job_stall_seconds == 0
    monkeypatch.setenv("LASTWORD_JOB_STALL_SECONDS", seconds)
    wrong = r"^LASTWORD_JOB_STALL_SECONDS is wrong: must be 0 \(never\) or at least 2"
    with pytest.raises(SettingsError, match=wrong):
        read_settings()
