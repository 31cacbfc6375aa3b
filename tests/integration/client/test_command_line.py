"""`retort` as a user runs it: a process of its own, against the real API, killed now and then."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.answering_worker import AnsweringWorker, answer_document
from harness.until import until
from retort_client import Client
from tests.integration.client.conftest import Serve
from tests.integration.client.faulty_server import Cut, FaultyServer, Refusal

PACKAGE = Path(__file__).parents[3] / "client"
ANSWER_COLUMNS = ["label", "score", "tokens", "truncated", "error", "detail"]


def start(server: FaultyServer, *arguments: object, cwd: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "RETORT_URL": server.url, "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "retort_client", *map(str, arguments)],
        cwd=cwd, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def retort(server: FaultyServer, *arguments: object, cwd: Path, given: str = "", code: int = 0) -> tuple[str, str]:
    """What the command prints to stdout and stderr once it has ended with this code."""
    process = start(server, *arguments, cwd=cwd)
    out, err = process.communicate(given, timeout=60)
    assert process.returncode == code, err
    return out, err


def questions(count: int) -> list[dict[str, str]]:
    """Among them quotes, line breaks and texts that can't be predicted."""
    odd = {3: 'with "quotes", and commas', 5: "two\nlines", 7: "", 11: "héllo ☃ 你好"}
    return [{"id": f"q{n}", "post": odd.get(n % 50, f"question {n}"), "note": f"n{n % 3}"} for n in range(count)]


def write_csv(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def answered(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The rows with the stand-in worker's answers, as CSV has them."""
    return [row | _cells(answer_document(row["post"])) for row in rows]


def _cells(document: dict[str, Any]) -> dict[str, str]:
    if error := document.get("error"):
        return dict.fromkeys(ANSWER_COLUMNS, "") | {"error": error["code"], "detail": error["detail"]}
    written = {name: json.dumps(document[name]) for name in ("score", "tokens", "truncated")}
    return dict.fromkeys(ANSWER_COLUMNS, "") | written | {"label": document["label"]}


def windows_done(folder: Path) -> int:
    path = folder / "answers.csv.partial.json"
    return json.loads(path.read_text())["windows"] if path.exists() else 0


def tickets(worker: AnsweringWorker) -> list[str]:
    return [ticket for _, found in worker.messages for ticket in found]


@pytest.mark.usefixtures("worker")
def test_every_row_gets_its_answer_in_its_place(server: FaultyServer, tmp_path: Path) -> None:
    rows = questions(700)
    write_csv(tmp_path / "questions.csv", rows)
    _, told = retort(server, "predict", "questions.csv", "-o", "answers.csv", "--window", 200, cwd=tmp_path)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)
    assert "700 rows, 14 of them with an error" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "questions.csv"]


def test_a_run_that_is_killed_again_and_again_loses_and_repeats_nothing(
    server: FaultyServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    rows = questions(4000)
    write_csv(tmp_path / "questions.csv", rows)
    worker.pause_s = 0.03
    command = ["predict", "questions.csv", "-o", "answers.csv", "--window", "400", "--quiet"]
    for kill in range(3):
        done = windows_done(tmp_path)
        process = start(server, *command, cwd=tmp_path)
        until(lambda done=done: windows_done(tmp_path) > done, what="progress")  # type: ignore[misc]
        process.kill()
        process.communicate()
        assert not (tmp_path / "answers.csv").exists()
        if kill == 1:  # a crash in the middle of writing leaves half a row
            with (tmp_path / "answers.csv.partial").open("a") as partial:
                partial.write('q1,"half a ro')
    _, told = retort(server, *command, cwd=tmp_path)
    assert "going on after" in told
    assert read_csv(tmp_path / "answers.csv") == answered(rows)
    assert len(tickets(worker)) == len(set(tickets(worker))) == 10 * 7, "texts were predicted twice"


def test_ctrl_c_says_how_to_go_on(server: FaultyServer, worker: AnsweringWorker, tmp_path: Path) -> None:
    rows = questions(600)
    write_csv(tmp_path / "questions.csv", rows)
    command = ["predict", "questions.csv", "-o", "answers.csv", "--window", "300"]
    worker.go.clear()
    process = start(server, *command, cwd=tmp_path)
    until(lambda: server.requests.count("POST /predict") == 2, what="both windows to be sent")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on where it was" in told
    worker.go.set()
    retort(server, *command, cwd=tmp_path)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)
    assert len(tickets(worker)) == len(set(tickets(worker)))


def test_dropped_connections_and_a_busy_service_only_delay(
    server: FaultyServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    rows = questions(900)
    write_csv(tmp_path / "questions.csv", rows)
    busy = Refusal("429 Too Many Requests", {"Retry-After": "1"})
    server.accidents.extend([Cut.AFTER, None, busy, Cut.BEFORE, None, Refusal("502 Bad Gateway"), Cut.AFTER])
    _, told = retort(server, "predict", "questions.csv", "-o", "answers.csv", "--window", 300, cwd=tmp_path)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)
    assert "trying again in" in told
    assert len(tickets(worker)) == len(set(tickets(worker)))


def test_a_window_whose_job_expired_is_sent_again(serve: Serve, worker: AnsweringWorker, tmp_path: Path) -> None:
    rows = questions(100)
    write_csv(tmp_path / "questions.csv", rows)
    server = serve(default_deadline_s=1)
    worker.go.clear()
    process = start(server, "predict", "questions.csv", "-o", "answers.csv", cwd=tmp_path)
    until(lambda: server.requests.count("POST /predict") == 2, what="the window to be sent again")
    worker.go.set()
    process.communicate(timeout=30)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)


def test_a_job_that_was_deleted_meanwhile_is_sent_again(
    server: FaultyServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    rows = questions(100)
    write_csv(tmp_path / "questions.csv", rows)
    worker.go.clear()
    process = start(server, "predict", "questions.csv", "-o", "answers.csv", cwd=tmp_path)
    until(lambda: any("/results" in asked for asked in server.requests), what="the results to be asked for")
    [job] = {asked.split("/")[2] for asked in server.requests if "/results" in asked}
    retort(server, "jobs", "cancel", job, cwd=tmp_path)
    worker.go.set()
    process.communicate(timeout=30)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)


@pytest.mark.usefixtures("worker")
def test_texts_that_the_service_refuses_have_an_error_and_the_others_their_answer(serve: Serve, tmp_path: Path) -> None:
    rows = [{"post": "x" * (500 if n % 7 == 0 else 5)} for n in range(300)]
    write_csv(tmp_path / "questions.csv", rows)
    retort(serve(max_text_chars=100), "predict", "questions.csv", "-o", "answers.csv", cwd=tmp_path)
    found = read_csv(tmp_path / "answers.csv")
    assert [row["error"] == "refused" for row in found] == [n % 7 == 0 for n in range(300)]
    assert found[1] == answered(rows)[1]


@pytest.mark.usefixtures("worker")
def test_json_lines_stay_json_lines(server: FaultyServer, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": "a", "tags": ["x"], "n": 1}, {"text": "bad \ud800", "tags": [], "n": 2}]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    retort(server, "predict", "q.jsonl", "-o", "a.jsonl", "--top-k", 2, "--scores", cwd=tmp_path)
    first, second = (json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines())
    assert {name: first[name] for name in rows[0]} == rows[0]
    assert first["label"] == first["top"][0]["label"]
    assert len(first["top"]) == 2
    assert sum(first["scores"].values()) == pytest.approx(1)
    assert {name: second[name] for name in rows[1]} == rows[1]
    assert second["error"] == "refused"


@pytest.mark.usefixtures("worker")
def test_a_pipe_is_read_and_written(server: FaultyServer, tmp_path: Path) -> None:
    given = "id\tpost\n1\twhy\n2\thow\n"
    out, _ = retort(server, "predict", "-", "--from", "tsv", "--to", "csv", cwd=tmp_path, given=given)
    assert list(csv.DictReader(io.StringIO(out))) == answered([{"id": "1", "post": "why"}, {"id": "2", "post": "how"}])
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_can_be_resumed_when_it_gives_the_same_rows(
    server: FaultyServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    rows = questions(900)
    given = write_csv(tmp_path / "questions.csv", rows).read_text()
    worker.pause_s = 0.05
    process = start(server, "predict", "-", "-o", "answers.csv", "--window", 300, cwd=tmp_path)
    assert process.stdin
    process.stdin.write(given)
    process.stdin.close()
    until(lambda: windows_done(tmp_path) >= 1, what="progress")
    process.kill()
    process.wait()
    retort(server, "predict", "-", "-o", "answers.csv", "--window", 300, cwd=tmp_path, given=given)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)


def interrupted(server: FaultyServer, worker: AnsweringWorker, folder: Path) -> list[str]:
    """Leaves an unfinished run of 600 rows behind; the command that began it."""
    write_csv(folder / "questions.csv", questions(600))
    command = ["predict", "questions.csv", "-o", "answers.csv", "--window", "100"]
    worker.pause_s = 0.05
    process = start(server, *command, cwd=folder)
    until(lambda: windows_done(folder) >= 1, what="progress")
    process.kill()
    process.communicate()
    return command


def test_an_unfinished_run_is_not_mixed_with_another(
    server: FaultyServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    command = interrupted(server, worker, tmp_path)
    _, told = retort(server, *command, "--top-k", 2, cwd=tmp_path, code=1)
    assert "unfinished run with another options" in told
    write_csv(tmp_path / "questions.csv", questions(600)[1:])
    _, told = retort(server, *command, cwd=tmp_path, code=1)
    assert "rows are not those of the unfinished run" in told
    retort(server, *command, "--restart", cwd=tmp_path)
    assert read_csv(tmp_path / "answers.csv") == answered(questions(600)[1:])


def test_two_runs_do_not_write_the_same_answers(server: FaultyServer, worker: AnsweringWorker, tmp_path: Path) -> None:
    write_csv(tmp_path / "questions.csv", questions(10))
    worker.go.clear()
    first = start(server, "predict", "questions.csv", "-o", "answers.csv", cwd=tmp_path)
    until(lambda: "POST /predict" in server.requests, what="the first run to be under way")
    _, told = retort(server, "predict", "questions.csv", "-o", "answers.csv", cwd=tmp_path, code=1)
    assert "another run is writing it" in told
    worker.go.set()
    first.communicate(timeout=30)
    assert read_csv(tmp_path / "answers.csv") == answered(questions(10))


def test_a_damaged_table_is_refused_before_anything_is_sent(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("post,n\na,1\nb,2,3\n")
    _, told = retort(server, "predict", "q.csv", "-o", "a.csv", cwd=tmp_path, code=1)
    assert told == "retort: q.csv, line 3: 3 cells, the header has 2\n"
    assert server.requests == []
    assert [path.name for path in tmp_path.iterdir()] == ["q.csv"]


def test_an_unreachable_service_ends_the_command_with_one_line(server: FaultyServer, tmp_path: Path) -> None:
    _, told = retort(server, "models", "--url", "http://127.0.0.1:1", cwd=tmp_path, code=1)
    assert told.splitlines()[-1].startswith("retort: http://127.0.0.1:1")


@pytest.mark.usefixtures("worker")
def test_a_pipe_as_output_stays_one(server: FaultyServer, tmp_path: Path) -> None:
    rows = questions(10)
    write_csv(tmp_path / "questions.csv", rows)
    os.mkfifo(tmp_path / "answers.csv")
    process = start(server, "predict", "questions.csv", "-o", "answers.csv", cwd=tmp_path)
    assert read_csv(tmp_path / "answers.csv") == answered(rows)
    process.communicate(timeout=30)
    assert (tmp_path / "answers.csv").is_fifo()


@pytest.mark.usefixtures("worker")
def test_jobs_and_models_are_shown(server: FaultyServer, tmp_path: Path) -> None:
    with Client(server.url) as client:
        job = client.submit(["a", ""])
        job.wait()
    shown, _ = retort(server, "jobs", "show", job.id, cwd=tmp_path)
    assert json.loads(shown)["state"] == "succeeded"
    assert json.loads(shown)["errors"] == 1
    listed, _ = retort(server, "models", cwd=tmp_path)
    assert "default" in listed
    _, told = retort(server, "jobs", "show", "nonsense", cwd=tmp_path, code=1)
    assert "unknown-job" in told
