from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.jobs.sender import QueuedTicket, messages
from contract.message import Lane, Ticket, queue_name

parcels = st.lists(
    st.builds(
        QueuedTicket,
        model=st.sampled_from(["a", "b"]),
        lane=st.sampled_from(Lane),
        ticket=st.builds(Ticket, st.uuids().map(str), st.integers(0, 3)),
        texts=st.integers(1, 64),
    ),
    max_size=60,
)


@given(parcels)
def test_every_ticket_travels_once_in_its_queue_and_in_order(given_parcels: list[QueuedTicket]) -> None:
    sent: dict[str, list[Ticket]] = {}
    for queue, tickets in messages(given_parcels, most_texts=64):
        sent.setdefault(queue, []).extend(tickets)
    expected: dict[str, list[Ticket]] = {}
    for parcel in given_parcels:
        expected.setdefault(queue_name(parcel.model, parcel.lane), []).append(parcel.ticket)
    assert sent == expected


@given(parcels)
def test_a_message_holds_no_more_texts_than_a_chunk_may(given_parcels: list[QueuedTicket]) -> None:
    texts = {parcel.ticket: parcel.texts for parcel in given_parcels}
    for _, tickets in messages(given_parcels, most_texts=64):
        assert sum(texts[ticket] for ticket in tickets) <= 64


def test_single_texts_share_a_message() -> None:
    singles = [QueuedTicket("m", Lane.INTERACTIVE, Ticket(str(n), 0), 1) for n in range(130)]
    assert [len(tickets) for _, tickets in messages(singles, most_texts=64)] == [64, 64, 2]
