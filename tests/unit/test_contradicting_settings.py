"""Settings that contradict each other, or name no Redis, stop the program and name the variable."""

from __future__ import annotations

import pytest

from contract.errors import BadSettings
from contract.settings import SharedSettings


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
