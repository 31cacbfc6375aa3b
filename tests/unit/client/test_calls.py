"""Conversations with the service: what is asked in which order, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import pytest

from retort_client import calls
from retort_client.documents import Prediction, TextError
from retort_client.errors import Gone, JobCancelled, TimedOut, UnexpectedReply
from retort_client.retry import Call, Patience
from retort_client.wire import Reply, TransportFailure, submission
from tests.unit.client.scripted_service import JOB_ID, PREDICTION, ScriptedService, job, problem, reply

T = TypeVar("T")
DONE = job("succeeded", predictions=[PREDICTION])
ANSWERS = [Prediction(label="java", score=0.75, tokens=7, truncated=False)]


def carry_out(service: ScriptedService, call: Callable[[Patience], Call[T]], timeout_s: float = math.inf) -> T:
    return service.carry_out(call(Patience(timeout_s, 6, service.now)))


def predict(service: ScriptedService, timeout_s: float = math.inf) -> list[object]:
    request = submission(["a"], {}, None)
    return list(carry_out(service, lambda patience: calls.predict(request, patience), timeout_s))


def test_a_short_question_costs_one_request() -> None:
    service = ScriptedService([reply(200, DONE)])
    assert predict(service) == ANSWERS
    assert [send.request.method for send in service.sent] == ["POST"]


def test_a_long_job_is_waited_for_without_pauses() -> None:
    service = ScriptedService([reply(202, job("queued")), *[reply(200, job("running"))] * 3, reply(200, DONE)], 25)
    assert predict(service) == ANSWERS
    assert [send.request.path for send in service.sent] == ["/predict", *[f"/jobs/{JOB_ID}"] * 4]
    assert service.pauses == [0] * 5
    assert all(send.request.headers["Prefer"] == "wait=25" for send in service.sent)


def test_a_service_that_does_not_wait_is_polled_when_it_says() -> None:
    running = reply(200, job("running"), Retry_After="4")
    service = ScriptedService([reply(202, job("queued")), running, running, reply(200, DONE)])
    assert predict(service) == ANSWERS
    assert service.pauses == [0, 0, 4, 4]


def test_a_lost_reply_is_asked_for_under_the_same_key() -> None:
    service = ScriptedService([TransportFailure("reset"), reply(200, DONE)])
    predict(service)
    first, second = (send.request for send in service.sent)
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_every_call_has_a_key_of_its_own() -> None:
    service = ScriptedService([reply(200, DONE)] * 2)
    predict(service)
    predict(service)
    first, second = (send.request.headers["Idempotency-Key"] for send in service.sent)
    assert first != second


def test_a_job_that_does_not_end_in_time_is_named() -> None:
    service = ScriptedService([reply(202, job("queued")), *[reply(200, job("running"))] * 10], 25)
    with pytest.raises(TimedOut, match="not ended in time") as raised:
        predict(service, timeout_s=60)
    assert raised.value.job_id == JOB_ID
    assert service.clock_s == pytest.approx(1060, abs=1)


def test_a_cancelled_job_has_no_answers() -> None:
    with pytest.raises(JobCancelled, match=JOB_ID):
        predict(ScriptedService([reply(202, job("queued")), reply(200, job("cancelled"))]))


def test_a_text_that_failed_has_its_error_in_its_place() -> None:
    failed = {"error": {"code": "empty-text", "detail": "the text is empty"}}
    service = ScriptedService([reply(200, job("succeeded", predictions=[PREDICTION, failed]))])
    assert predict(service) == [*ANSWERS, TextError("empty-text", "the text is empty")]


def test_members_of_a_later_release_are_passed_over() -> None:
    service = ScriptedService([reply(200, DONE | {"new": 1, "predictions": [PREDICTION | {"new": 2}]})])
    assert predict(service) == ANSWERS


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b"{}", b'{"id": null}', b"\xff"])
def test_another_services_reply_is_recognized(body: bytes) -> None:
    with pytest.raises(UnexpectedReply, match="not an answer of Retort"):
        predict(ScriptedService([Reply(200, {}, body)]))


def test_a_page_is_waited_for_until_it_has_answers() -> None:
    empty = reply(200, page([], following=True))
    full = reply(200, page([PREDICTION], following=True))
    service = ScriptedService([empty, empty, full], 25)
    found = carry_out(service, lambda patience: calls.page(JOB_ID, 5, patience))
    assert list(found.answers) == ANSWERS
    assert found.next == 6
    assert service.sent[0].request.query == {"from": 5}


def test_the_last_page_has_no_next() -> None:
    found = carry_out(
        ScriptedService([reply(200, page([PREDICTION], following=False))]),
        lambda patience: calls.page(JOB_ID, 5, patience),
    )
    assert found.next is None


def test_removing_a_job_that_is_gone_is_no_error() -> None:
    service = ScriptedService([problem(410, "gone-job")])
    carry_out(service, lambda patience: calls.remove(JOB_ID, patience))


def test_reading_a_job_that_is_gone_is_one() -> None:
    with pytest.raises(Gone):
        carry_out(ScriptedService([problem(410, "gone-job")]), lambda patience: calls.page(JOB_ID, 0, patience))


def page(predictions: list[object], following: bool) -> dict[str, object]:
    return {
        "id": JOB_ID,
        "status": "running",
        "texts": 10,
        "from": 5,
        "predictions": predictions,
        "next": "/jobs/x/results?from=6" if following else None,
    }
