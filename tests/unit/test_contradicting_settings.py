"""Settings that contradict each other, or name no Redis, stop the program and name the variable."""

from __future__ import annotations

import pytest

from contract.errors import BadSettings
from contract.settings import SharedSettings, _refuse_misspelt
from tests.unit.test_settings_documented import every_settings_class, variables


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"RETORT_HEARTBEAT_S": "10"}, "RETORT_HEARTBEAT_TTL_S"),
        ({"RETORT_HEARTBEAT_S": "3", "RETORT_HEARTBEAT_TTL_S": "5"}, "RETORT_HEARTBEAT_TTL_S"),
        ({"RETORT_REDIS_URL": "localhost:6379"}, "RETORT_REDIS_URL"),
        ({"RETORT_REDIS_URL": "http://localhost:6379"}, "RETORT_REDIS_URL"),
    ],
)
def test_a_contradiction_is_refused(given: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=named):
        SharedSettings.load()


def test_a_refused_address_of_redis_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_REDIS_URL", "http://:secret@localhost:6379")
    with pytest.raises(BadSettings) as refused:
        SharedSettings.load()
    assert "secret" not in str(refused.value)


def test_the_least_that_agrees_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_HEARTBEAT_S", "2.5")
    assert SharedSettings.load().heartbeat_ttl_s == 5.0


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("RETORT_MODELS", "RETORT_MODEL"),
        ("RETORT_LOG_LEVLE", "RETORT_LOG_LEVEL"),
        ("RETORT_REDIS_PASWORD_FILE", "RETORT_REDIS_PASSWORD_FILE"),
        ("retort_model_dir", "RETORT_MODELS_DIR"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(
    given: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(given, "INFO")
    with pytest.raises(BadSettings, match=rf"{given.upper()}: .* did you mean {meant}\?"):
        SharedSettings.load()


def test_no_service_takes_anothers_setting_for_a_misspelt_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, field in variables().items():
        monkeypatch.setenv(variable, str(field.get_default(call_default_factory=True) or ""))
    for unknown in ("URL", "API_KEY", "NAME", "WEBHOOK_SECRET", "SOMETHING_ELSE", "REDIS_PASSWORD_FILE"):
        monkeypatch.setenv(f"RETORT_{unknown}", "")
    for settings in every_settings_class():
        _refuse_misspelt(settings)
