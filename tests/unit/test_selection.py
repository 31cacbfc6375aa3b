"""What RETORT_MODEL can say."""

from __future__ import annotations

import pytest

from contract.errors import BadSettings
from contract.selection import Selection
from contract.settings import SharedSettings


@pytest.mark.parametrize(
    ("text", "names", "every", "default"),
    [
        ("default", ("default",), False, "default"),
        ("tickets", ("tickets",), False, "tickets"),
        ("tickets, default,tickets", ("tickets", "default"), False, "tickets"),
        ("*", (), True, "default"),
        ("tickets,*", ("tickets",), True, "tickets"),
    ],
)
def test_a_list_names_models_and_a_star_all_on_the_volume(
    text: str, names: tuple[str, ...], every: bool, default: str
) -> None:
    found = Selection.parse(text)
    assert (found.names, found.every, found.default) == (names, every, default)
    assert Selection.parse(str(found)) == found


def test_a_model_is_among_the_named_ones_or_any() -> None:
    assert "a" in Selection.parse("a,b")
    assert "c" not in Selection.parse("a,b")
    assert "c" in Selection.parse("a,*")


@pytest.mark.parametrize("text", ["", "a,", "Tickets", "a;b", "../x", "a b", "**"])
def test_what_is_no_list_of_names_stops_the_program_and_names_the_variable(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETORT_MODEL", text)
    with pytest.raises(BadSettings, match=r"RETORT_MODEL: .* is no model's name"):
        SharedSettings.load()
