from __future__ import annotations

import json

import pytest

from api.jobs.result_stream import as_csv, columns, ndjson
from api.jobs.results import Row, as_json, available, refuse_cancelled, rows, span
from contract.errors import GoneJob
from contract.job_record import JobState, JobStatus, Snapshot, StoredChunk
from contract.message import Lane
from contract.prediction import ChunkResult, Failed, Options, Prediction, TextError

GOOD = Prediction(label='ja"va', score=0.5, tokens=3, truncated=False)
BAD = Failed(error=TextError(code="text-failed", detail='a "detail", with ]} brackets'))


def status(state: JobState = JobState.SUCCEEDED) -> JobStatus:
    return JobStatus(
        id="a" * 29, state=state, model="m", version="v1", lane=Lane.BULK, options=Options(), caller="", texts=2,
        done=2, errors=1, chunks=1, dead=0,
        created_ms=0, started_ms=0, finished_ms=0, deadline_at_ms=0, ahead=0, drained=0,
    )  # fmt: skip


def chunk(number: int, state: str, result: str | None = None, fault: str | None = None) -> StoredChunk:
    return StoredChunk(number=number, state=state, texts=2, result=result, fault=fault)


def committed(number: int, *answers: Prediction | Failed) -> StoredChunk:
    stored = ChunkResult(version="v1", predictions=list(answers)).model_dump_json(exclude_none=True)
    return chunk(number, "committed", stored)


@pytest.mark.parametrize("indent", [None, 2])
def test_predictions_are_taken_from_the_stored_text_as_they_are(indent: int | None) -> None:
    stored = ChunkResult(version="v1", predictions=[GOOD, BAD]).model_dump_json(exclude_none=True, indent=indent)
    expected = [GOOD.model_dump(exclude_none=True), BAD.model_dump()]
    assert json.loads(f"[{as_json(chunk(0, 'committed', stored), status())}]") == expected


def test_each_text_of_a_dead_chunk_says_why() -> None:
    answers = rows(chunk(0, "dead", fault='worker "w1" died'), status(JobState.FAILED))
    assert [answer["error"]["code"] for answer in answers] == ["text-failed"] * 2
    assert 'worker "w1" died' in answers[0]["error"]["detail"]


def test_each_text_of_a_dropped_chunk_says_that_the_job_ended_first() -> None:
    [first, _] = rows(chunk(0, "dropped"), status(JobState.EXPIRED))
    assert first["error"] == {
        "code": "not-predicted",
        "detail": "the job ended as expired before this text was predicted",
    }


def test_what_is_available_ends_at_the_first_chunk_that_may_still_be_predicted() -> None:
    settled = (committed(0, GOOD, BAD), chunk(1, "dead"), chunk(2, "dropped"))
    chunks = (*settled, chunk(3, "leased"), committed(4, GOOD, BAD))
    assert tuple(available(Snapshot(status(JobState.RUNNING), chunks))) == settled


def test_a_cancelled_job_has_no_results() -> None:
    with pytest.raises(GoneJob, match=f"^job {'a' * 29} was cancelled"):
        refuse_cancelled(status(JobState.CANCELLED))


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, 64, [0]), (0, 65, [0, 1]), (63, 64, [0]), (64, 130, [1, 2]), (10, 10_000, [0, 1, 2, 3])],
)
def test_a_span_of_texts_lies_in_these_chunks(start: int, stop: int, expected: list[int]) -> None:
    assert list(span(start, stop, size=64, chunks=4)) == expected


def found_rows() -> list[Row]:
    return [GOOD.model_dump(exclude_none=True) | {"scores": {"ja,va": 0.5}}, BAD.model_dump()]


def test_ndjson_has_a_line_per_text_with_its_number() -> None:
    lines = "".join(ndjson(iter([(7, found_rows())]))).splitlines()
    assert [json.loads(line) for line in lines] == [{"index": 7 + n} | row for n, row in enumerate(found_rows())]


def test_csv_quotes_what_needs_it() -> None:
    assert "".join(as_csv(iter([(7, found_rows())]), columns(Options(scores=True), multi_label=False))).split(
        "\r\n"
    ) == [
        "index,label,score,tokens,truncated,error,detail,scores",
        '7,"ja""va",0.5,3,false,,,"{""ja,va"": 0.5}"',
        '8,,,,,text-failed,"a ""detail"", with ]} brackets",',
        "",
    ]


def test_csv_has_a_column_for_what_few_answers_have_where_the_first_page_has_it() -> None:
    known = {"label": "sql", "score": 0.5, "tokens": 3, "truncated": False}
    marked, names = known | {"unknown": 0.9}, columns(Options(), multi_label=False)

    assert "".join(as_csv(iter([(0, [known, marked]), (2, [marked])]), names)).split("\r\n") == [
        "index,label,score,tokens,truncated,error,detail,unknown",
        "0,sql,0.5,3,false,,,",
        "1,sql,0.5,3,false,,,0.9",
        "2,sql,0.5,3,false,,,0.9",
        "",
    ]
    assert "unknown" not in "".join(as_csv(iter([(0, [known]), (1, [marked])]), names))
    assert "".join(as_csv(iter(()), names)) == f"{','.join(names)}\r\n"


def test_csv_of_several_labels_holds_them_as_json() -> None:
    several = [
        {"labels": [{"label": "a,b", "score": 0.5}], "tokens": 3, "truncated": True},
        {"labels": [], "tokens": 2},
    ]
    names = columns(Options(), multi_label=True)
    assert "".join(as_csv(iter([(0, [*several, BAD.model_dump()])]), names)).split("\r\n") == [
        "index,labels,tokens,truncated,error,detail",
        '0,"[{""label"": ""a,b"", ""score"": 0.5}]",3,true,,',
        "1,[],2,,,",
        '2,,,,text-failed,"a ""detail"", with ]} brackets"',
        "",
    ]


def test_letters_of_any_script_stay_as_they_are() -> None:
    row = {"label": "日本", "score": 0.5, "tokens": 3, "truncated": False, "top": [{"label": "né", "score": 0.5}]}
    names = columns(Options(top_k=2), multi_label=False)

    assert names == ["index", "label", "score", "tokens", "truncated", "error", "detail", "top"]
    assert "日本" in "".join(ndjson(iter([(0, [row])])))
    assert "né" in "".join(as_csv(iter([(0, [row])]), names))
