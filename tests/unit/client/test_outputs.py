"""Answers outlive a crash at any moment, and appear under their name only when all are there."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import BinaryIO

import pytest

from retort_client.cli.errors import BadOutput
from retort_client.cli.outputs import FileOutput
from retort_client.cli.windows import Window

SETTINGS = {"column": "post", "options": {"top_k": 1}}


def window(number: int) -> Window:
    return Window(number=number, first=number, rows=[], texts=[], digest=f"digest {number}")


def append(output: FileOutput, number: int, data: bytes) -> None:
    output.append(data, output.progress.after(window(number), 0, len(data)))


def test_the_file_appears_when_it_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
        assert not target.exists()
        append(output, 1, b"two\n")
        output.finish()
    assert target.read_bytes() == b"one\ntwo\n"
    assert list(tmp_path.iterdir()) == [target]


def test_an_older_file_stays_until_then(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    target.write_bytes(b"old")
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
    assert target.read_bytes() == b"old"


def test_what_was_not_committed_is_written_again(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
        run = output.progress.run
    with (tmp_path / "answers.csv.partial").open("ab") as file:
        file.write(b"half of tw")
    with FileOutput(target, SETTINGS, restart=False) as output:
        assert (output.progress.windows, output.progress.digest, output.progress.run) == (1, "digest 0", run)
        append(output, 1, b"two\n")
        output.finish()
    assert target.read_bytes() == b"one\ntwo\n"


def test_a_crash_between_answers_and_progress_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "answers.csv"
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
        monkeypatch.setattr("retort_client.cli.progress.os.fsync", _crash_on_second())
        with pytest.raises(KeyboardInterrupt):
            append(output, 1, b"two\n")
    monkeypatch.undo()
    with FileOutput(target, SETTINGS, restart=False) as output:
        assert output.progress.windows == 1
        append(output, 1, b"two\n")
        output.finish()
    assert target.read_bytes() == b"one\ntwo\n"


def test_a_crash_after_the_renaming_leaves_no_unfinished_run(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
    (tmp_path / "answers.csv.partial").rename(target)
    with FileOutput(target, SETTINGS, restart=False) as output:
        assert output.progress.windows == 0


def test_starting_anew_forgets_answers_and_keys(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
        run = output.progress.run
    with FileOutput(target, {}, restart=True) as output:
        assert output.progress.windows == 0
        assert output.progress.run != run
        append(output, 0, b"1\n")
        output.finish()
    assert target.read_bytes() == b"1\n"


def test_a_run_with_other_settings_is_not_continued_and_not_lost(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    with FileOutput(target, SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
    with pytest.raises(BadOutput, match="another column, options"):
        FileOutput(target, {"column": "text", "options": {"top_k": 2}}, restart=False)
    with FileOutput(target, SETTINGS, restart=False) as output:
        assert output.progress.windows == 1


@pytest.mark.parametrize(("name", "told"), [("answers.csv.partial.json", "damaged"), ("answers.csv.partial", "lost")])
def test_damage_is_named(tmp_path: Path, name: str, told: str) -> None:
    with FileOutput(tmp_path / "answers.csv", SETTINGS, restart=False) as output:
        append(output, 0, b"one\n")
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(BadOutput, match=told):
        FileOutput(tmp_path / "answers.csv", SETTINGS, restart=False)


def test_a_link_keeps_pointing_at_the_answers(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    with FileOutput(tmp_path / "link.csv", SETTINGS, restart=False) as output:
        append(output, 0, b"new")
        output.finish()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"new"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match="No such file or directory"):
        FileOutput(tmp_path / "missing" / "answers.csv", SETTINGS, restart=False)


def _crash_on_second() -> object:
    """The answers reach the disk, the progress does not."""
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise KeyboardInterrupt

    return fsync


def test_whether_a_run_is_unfinished_is_told_only_once_nobody_else_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run finishes between the opening of the file and its lock: its answers are not touched."""
    target = tmp_path / "answers.csv"
    other = FileOutput(target, SETTINGS, restart=False)
    append(other, 0, b"one\n")
    lock = fcntl.flock

    def finish_first(file: BinaryIO, how: int) -> None:
        if not target.exists():
            other.finish()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    with FileOutput(target, SETTINGS, restart=False) as output:
        assert output.progress.rows == 0
        assert output.progress.run != other.progress.run
    assert target.read_bytes() == b"one\n"
