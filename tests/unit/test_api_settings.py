"""Settings of the API that contradict each other stop the program and are named."""

from __future__ import annotations

import pytest

from api.settings import ApiSettings
from contract.errors import BadSettings


@pytest.mark.parametrize(
    ("variable", "value", "other"),
    [
        ("RETORT_DEFAULT_DEADLINE_S", "100000", "RETORT_MAX_DEADLINE_S"),
        ("RETORT_MAX_DEADLINE_S", "10", "RETORT_DEFAULT_DEADLINE_S"),
        ("RETORT_DEFAULT_WAIT_S", "100", "RETORT_MAX_WAIT_S"),
        ("RETORT_MAX_WAITING", "999", "RETORT_MAX_WAITING_OF_CALLER"),
        ("RETORT_API_CONNECTIONS", "1000", "RETORT_MAX_WAITING"),
        ("RETORT_MAX_BODY_BYTES", "1000000000", "RETORT_MAX_BODIES_BYTES"),
    ],
)
def test_a_contradiction_names_both_variables(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, other: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettings) as refused:
        ApiSettings.load()
    assert variable in str(refused.value)
    assert other in str(refused.value)


def test_the_defaults_do_not_contradict_each_other() -> None:
    assert ApiSettings.load() == ApiSettings()
