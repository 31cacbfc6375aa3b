"""When the client sends again, and when it gives up."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

from retort_client.errors import Busy, ProblemError, ServiceFailed, Unauthorized, Unreachable
from retort_client.retry import LONGEST_PAUSE_S, REPLY_S, SPREAD, Patience, replied, retry_after_s
from retort_client.wire import Reply, Request, TransportFailure, models
from tests.unit.client.scripted_service import ScriptedService, problem, reply

GOOD = reply(200, {})


def ask(service: ScriptedService, timeout_s: float = math.inf, retries: int = 6) -> Reply:
    return service.carry_out(replied(models(), Patience(timeout_s, retries, service.now)))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_or_absent_service_is_asked_again(status: int) -> None:
    service = ScriptedService([problem(status, "x"), problem(status, "x"), GOOD])
    assert ask(service) is GOOD
    assert len(service.sent) == 3


def test_a_lost_connection_is_tried_again_with_the_same_request() -> None:
    service = ScriptedService([TransportFailure("reset"), GOOD])
    assert ask(service) is GOOD
    assert service.sent[0].request is service.sent[1].request


@pytest.mark.parametrize("status", [300, 301, 400, 401, 404, 410, 413, 422, 500])
def test_what_trying_again_would_not_mend_is_raised_at_once(status: int) -> None:
    service = ScriptedService([problem(status, "x")])
    with pytest.raises(ProblemError):
        ask(service)
    assert len(service.sent) == 1


@pytest.mark.parametrize("retry_after", [0, 7, 300])
def test_retry_after_is_waited_for_and_not_much_longer(retry_after: int) -> None:
    for _ in range(20):
        service = ScriptedService([problem(429, "backlog-full", Retry_After=str(retry_after)), GOOD])
        ask(service)
        assert retry_after <= service.pauses[1] <= retry_after * (1 + SPREAD)


def test_clients_told_the_same_time_do_not_all_come_at_once() -> None:
    pauses = set()
    for _ in range(20):
        service = ScriptedService([problem(429, "backlog-full", Retry_After="10"), GOOD])
        ask(service)
        pauses.add(service.pauses[1])
    assert len(pauses) > 15


def test_pauses_without_retry_after_grow_up_to_a_bound() -> None:
    service = ScriptedService([TransportFailure("refused")] * 12 + [GOOD])
    ask(service, retries=12)
    most = [0.5, 1, 2, 4, 8] + [LONGEST_PAUSE_S] * 7
    for pause, bound in zip(service.pauses[1:], most, strict=True):
        assert bound / 2 <= pause <= bound


def test_an_unreachable_service_is_given_up_after_the_retries() -> None:
    service = ScriptedService([TransportFailure("refused")] * 4)
    with pytest.raises(Unreachable, match="refused"):
        ask(service, retries=3)
    assert len(service.sent) == 4


def test_a_service_that_says_when_to_come_back_is_asked_as_long_as_time_lasts() -> None:
    service = ScriptedService([problem(429, "backlog-full", Retry_After="10")] * 50 + [GOOD])
    assert ask(service, retries=1) is GOOD


def test_a_pause_longer_than_the_time_left_is_not_begun() -> None:
    service = ScriptedService([problem(429, "backlog-full", Retry_After="100")])
    with pytest.raises(Busy) as raised:
        ask(service, timeout_s=60)
    assert raised.value.retry_after_s == 100
    assert service.clock_s == 1000


def test_a_call_ends_within_its_time() -> None:
    service = ScriptedService([problem(503, "store-unavailable", Retry_After="2")] * 100)
    with pytest.raises(ServiceFailed):
        ask(service, timeout_s=20)
    assert 1015 <= service.clock_s <= 1020


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    assert retry_after_s(httpx.Headers({"retry-after": later})) == pytest.approx(90, abs=2)
    assert retry_after_s(httpx.Headers({"retry-after": past})) == 0


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "²"])
def test_a_retry_after_that_makes_no_sense_is_passed_over(text: str) -> None:
    assert retry_after_s({"Retry-After": text}) is None


def test_the_error_tells_what_the_service_told() -> None:
    service = ScriptedService([problem(401, "unauthorized")])
    with pytest.raises(Unauthorized, match=r"T \(401 unauthorized\): d \[request r1\]"):
        ask(service)


@pytest.mark.parametrize(("timeout_s", "silence_s"), [(math.inf, 20 + REPLY_S), (40, 40), (0.1, 1)])
def test_a_reply_may_take_what_it_was_asked_to_wait_and_some_but_no_longer_than_the_call(
    timeout_s: float, silence_s: float
) -> None:
    service = ScriptedService([GOOD])
    service.carry_out(replied(Request(method="GET", path="/jobs", wait_s=20), Patience(timeout_s, 6, service.now)))
    assert service.sent[0].reply_s == silence_s


def test_a_service_that_said_when_to_come_back_is_given_every_retry_anew() -> None:
    busy = problem(429, "backlog-full", Retry_After="1")
    service = ScriptedService([TransportFailure("reset"), busy, TransportFailure("reset"), GOOD])
    assert ask(service, retries=1) is GOOD


def test_each_new_try_is_announced_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "retort_client"):
        ask(ScriptedService([TransportFailure("connection reset"), GOOD]))
    [told] = caplog.messages
    assert told.startswith("connection reset; trying again in 0.")
    assert told.endswith(" s")


def test_a_page_of_a_proxy_is_told_with_its_status_and_its_request_id() -> None:
    page = Reply(502, httpx.Headers({"X-Request-Id": "r7"}), b"<h1>no worker</h1>")
    with pytest.raises(ServiceFailed, match=r"Bad Gateway \(502 about:blank\): <h1>no worker</h1> \[request r7\]"):
        ask(ScriptedService([page]), retries=0)


def test_a_date_of_retry_after_is_read_in_its_own_zone() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    east = later.astimezone(timezone(timedelta(hours=2)))
    assert retry_after_s({"Retry-After": format_datetime(east)}) == pytest.approx(90, abs=2)
    unknown = later.replace(tzinfo=None)  # written as -0000
    assert retry_after_s({"Retry-After": format_datetime(unknown)}) == pytest.approx(90, abs=2)
