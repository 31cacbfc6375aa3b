"""The record's fields in Python, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from contract.job_record import (
    STATUS_FIELDS,
    JobRef,
    JobState,
    JobStatus,
    Lease,
    NewJob,
    StoredChunk,
    dump_texts,
    load_texts,
)
from contract.message import Lane, Ticket
from contract.prediction import Options
from contract.stored_result import DamagedResult

RECORD = {
    "state": "running", "model": "m", "version": "v1", "lane": "bulk", "options": '{"top_k":2}', "caller": "me",
    "texts": "130", "done": "64", "errors": "1", "chunks": "3", "dead": "2",
    "created": "1000", "started": "2000", "finished": None, "deadline": "9000", "ahead": "7", "drained": "8",
}  # fmt: skip
"""A job's hash, each number another."""


def test_a_status_is_read_field_by_field() -> None:
    assert JobStatus.parse("j", RECORD) == JobStatus(
        id="j", state=JobState.RUNNING, model="m", version="v1", lane=Lane.BULK, options=Options(top_k=2), caller="me",
        texts=130, done=64, errors=1, chunks=3, dead=2,
        created_ms=1000, started_ms=2000, finished_ms=None, deadline_at_ms=9000, ahead=7, drained=8,
    )  # fmt: skip
    assert JobStatus.parse("j", RECORD | {"started": None, "finished": "3000"}).finished_ms == 3000


def test_every_field_of_a_status_is_asked_for() -> None:
    assert set(STATUS_FIELDS) == RECORD.keys()
    assert len(STATUS_FIELDS) == len(dataclasses.fields(JobStatus)) - 1  # the id is the key


@pytest.mark.parametrize("damage", [{"state": "asleep"}, {"lane": "fast"}, {"texts": "x"}, {"created": None}])
def test_a_status_that_can_not_be_read_is_no_status(damage: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        JobStatus.parse("j", RECORD | damage)


def test_a_job_is_open_until_it_has_ended() -> None:
    assert [state.value for state in JobState if state.is_open] == ["queued", "running"]


def test_a_status_is_found_again_by_its_id_and_caller() -> None:
    assert JobStatus.parse("j", RECORD).ref == JobRef("j", "me")


@pytest.mark.parametrize(("texts", "sizes"), [(1, [1]), (64, [64]), (65, [64, 1]), (130, [64, 64, 2])])
def test_a_job_is_cut_into_chunks_in_the_order_of_its_texts(texts: int, sizes: list[int]) -> None:
    asked = tuple(f"text {n}" for n in range(texts))
    chunks = NewJob(id="j", model="m", lane=Lane.BULK, texts=asked, deadline_in_ms=1).chunks(64)
    assert [len(chunk) for chunk in chunks] == sizes
    assert tuple(text for chunk in chunks for text in chunk) == asked


def test_a_chunk_is_read_with_its_result_or_its_fault() -> None:
    result = '{"version":"v1","predictions":[]}'
    assert StoredChunk.parse(3, "committed|2|w1|64|7", result, None) == StoredChunk(
        number=3, state="committed", texts=64, result=result, fault=None
    )
    assert StoredChunk.parse(0, "dead|5||2|7", None, "killed") == StoredChunk(
        number=0, state="dead", texts=2, result=None, fault="killed"
    )


@pytest.mark.parametrize("stored", ["", "queued", "queued|0||1", "queued|0||1|7|8", "queued|0||x|7"])
def test_a_chunk_that_can_not_be_read_is_no_chunk(stored: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|literal"):
        StoredChunk.parse(0, stored, None, None)


def test_a_chunk_whose_result_alone_is_damaged_is_told_from_another() -> None:
    with pytest.raises(DamagedResult):
        StoredChunk.parse(0, "committed|1|w1|1|7", "junk", None)


def test_texts_lie_in_the_record_as_short_as_json_can_be() -> None:
    texts = ("naïve 日本語", 'a "quoted"\n\ttext', "", "🜁")
    assert dump_texts(texts) == '["naïve 日本語","a \\"quoted\\"\\n\\ttext","","🜁"]'
    assert load_texts(dump_texts(texts)) == texts


@pytest.mark.parametrize("stored", ['{"a": "b"}', "null", '"text"', '["a", 7]', "[null]"])
def test_what_is_no_list_of_texts_is_refused(stored: str) -> None:
    with pytest.raises(ValueError, match=r"^its texts are no list of texts$"):
        load_texts(stored)


def lease(attempt: int) -> Lease:
    return Lease(
        ticket=Ticket("j", 0), attempt=attempt, model="m", lane=Lane.BULK, options=Options(),
        deadline_at_ms=1, created_ms=0, leased_ms=0, texts=("é", "a"),
    )  # fmt: skip


def test_a_lease_counts_the_bytes_of_its_texts_as_the_backlog_does() -> None:
    assert lease(1).stored_bytes == len('["é","a"]') + 1  # é is two bytes


def test_a_chunk_is_suspect_after_its_first_attempt() -> None:
    assert [lease(attempt).is_suspect for attempt in (1, 2, 3)] == [False, True, True]
