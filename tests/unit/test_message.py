"""What is a message and a ticket, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest

from contract.message import Lane, NewerMessage, Ticket, pack, queue_name, unpack

JOB = "agrafvn6oxpzjapeylfsmrpmbv4oo"


def test_a_ticket_is_read_as_it_was_written() -> None:
    assert Ticket.parse(str(Ticket(JOB, 312))) == Ticket(JOB, 312)
    assert Ticket.parse("x/0") == Ticket("x", 0)
    assert Ticket.parse("x" * 100 + "/999999999") == Ticket("x" * 100, 999_999_999)


@pytest.mark.parametrize(
    "text",
    [None, 7, b"a/1", "", "a", "a/", "/1", "a/b", "a/1/2", "a b/1", "a/-1", "a/1\n", "a/\u0661", "x" * 101 + "/1"],
)
def test_what_is_no_ticket_is_named_and_cut_short(text: Any) -> None:
    with pytest.raises(ValueError, match="is no ticket") as raised:
        Ticket.parse(text)
    assert str(raised.value).startswith(repr(text)[:80])
    assert len(str(raised.value)) < 100


def test_a_message_is_read_as_it_was_written() -> None:
    assert unpack(pack([Ticket(JOB, 0), Ticket("b", 2)])) == [Ticket(JOB, 0), Ticket("b", 2)]
    assert unpack(pack([])) == []


@pytest.mark.parametrize("message", [None, [], "x", 5, {}, {"tickets": []}, {"schema": "1", "tickets": []}])
def test_what_another_service_sent_is_no_message(message: Any) -> None:
    with pytest.raises(ValueError, match=r"^no message of this service$"):
        unpack(message)


@pytest.mark.parametrize("tickets", [{}, {"tickets": None}, {"tickets": "a/1"}, {"tickets": {"a/1": 1}}])
def test_a_message_without_tickets_is_refused(tickets: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^a message without tickets$"):
        unpack({"schema": 1, **tickets})


def test_a_newer_message_is_told_from_a_damaged_one() -> None:
    with pytest.raises(NewerMessage, match=r"^message of schema 2, this release reads 1$"):
        unpack({"schema": 2, "tickets": {"a": 1}})
    assert unpack({"schema": 0, "tickets": ["a/1"]}) == [Ticket("a", 1)]


def test_a_worker_reads_short_questions_first() -> None:
    assert queue_name("m", Lane.INTERACTIVE) == "retort.m.0-interactive"
    assert queue_name("m", Lane.BULK) == "retort.m.1-bulk"
