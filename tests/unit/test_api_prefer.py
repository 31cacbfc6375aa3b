from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from api.http.prefer import WaitPreference, patience
from api.http.problems import Problem
from api.settings import ApiSettings

SETTINGS = ApiSettings(default_wait_s=10, max_wait_s=60)


def request(query: str = "", *prefer: str) -> Request:
    return Request(EnvironBuilder("/", query_string=query, headers=[("Prefer", text) for text in prefer]).get_environ())


@pytest.mark.parametrize(
    ("query", "prefer", "expected"),
    [
        ("", [], WaitPreference(10)),
        ("", ["respond-async"], WaitPreference(0, ("respond-async",), at_once=True)),
        ("", ["Respond-Async"], WaitPreference(0, ("respond-async",), at_once=True)),
        ("", ["wait=3"], WaitPreference(3, ("wait=3",))),
        ("", ["wait=0"], WaitPreference(0, ("wait=0",))),
        ("", ['wait="3"'], WaitPreference(3, ("wait=3",))),
        ("", ["wait=600"], WaitPreference(60, ("wait=60",))),
        ("", ["wait=99999999999999999999"], WaitPreference(60, ("wait=60",))),
        ("", ["respond-async, wait=5"], WaitPreference(5, ("respond-async", "wait=5"))),
        ("", ["respond-async", "wait=5"], WaitPreference(5, ("respond-async", "wait=5"))),
        ("", ["wait=5, wait=7"], WaitPreference(5, ("wait=5",))),
        ("", ["wait=5; foo=bar"], WaitPreference(5, ("wait=5",))),
        ("", ["handling=lenient"], WaitPreference(10)),
        ("", ["wait=soon"], WaitPreference(10)),
        ("", ["wait=-1"], WaitPreference(10)),
        ("", ["wait=٣"], WaitPreference(10)),
        ("", [",;=,"], WaitPreference(10)),
        ("wait=2.5", [], WaitPreference(2.5)),
        ("wait=2", ["wait=7"], WaitPreference(2)),
        ("wait=1e9", [], WaitPreference(60)),
    ],
)
def test_a_client_waits_as_long_as_it_says(query: str, prefer: list[str], expected: WaitPreference) -> None:
    assert patience(request(query, *prefer), SETTINGS, otherwise_s=10) == expected


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "1,5", "1_0", "١", "1e999"])
def test_a_bad_wait_in_the_query_is_refused_by_name(text: str) -> None:
    with pytest.raises(Problem) as refused:
        patience(request(f"wait={text}"), SETTINGS, otherwise_s=10)
    assert [fault.as_dict()["parameter"] for fault in refused.value.field_errors] == ["wait"]


def test_the_preferences_that_were_followed_are_told() -> None:
    assert patience(request("", "respond-async, wait=5"), SETTINGS, 10).headers == {
        "Preference-Applied": "respond-async, wait=5"
    }
    assert patience(request(), SETTINGS, 10).headers == {}
