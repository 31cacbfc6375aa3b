"""What the benchmark of quality makes of the files that it is given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks import quality, quality_run
from benchmarks.quality import Seeds
from benchmarks.quality_run import Problem
from benchmarks.record import ROOT, Record
from contract.artifact import Manifest, read_manifest
from harness.tiny_artifact import write_tiny_artifact


def test_a_table_with_a_test_part_is_learnt_from_whole_and_by_samples(tmp_path: Path) -> None:
    train, test, alone = (tmp_path / name for name in ("intents_train.csv", "intents_test.csv", "tickets.csv"))

    found = {problem.name: problem for problem in quality.problems([train, test, alone])}

    assert found.keys() == {"intents", "intents_10", "intents_5", "tickets"}
    assert {found[name].test for name in ("intents", "intents_10", "intents_5")} == {test}
    assert [found[name].each for name in found] == [None, 10, 5, None]
    assert found["tickets"].test is None
    assert {name for name in found if found[name].strange} == {"intents"}
    assert found["intents"].strange == alone
    titles = tmp_path / "stackoverflow_titles20_train.csv"
    assert quality.problems([train, test, alone, titles])[0].strange == titles


def test_a_set_that_there_is_not_is_refused_and_those_that_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tickets.csv").touch()
    monkeypatch.setattr(sys, "argv", ["quality", str(tmp_path), "tikets"])

    with pytest.raises(SystemExit):
        quality.main()

    assert "no table and no set: tikets; sets are tickets, example" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "runs", "figures"),
    [
        (
            "tickets",
            [
                {"accuracy": 0.5, "review_share": 0.75, "review_accuracy": 0.875},
                {"accuracy": 1.0, "review_share": 0.25},
            ],
            {
                "tickets_accuracy": 0.75,
                "review_share_tickets": 0.5,
                "review_accuracy_tickets": 0.875,
                "tickets_spread": pytest.approx(0.3536, abs=1e-4),
            },
        ),
        ("reuters", [{"micro_f1": 0.5}], {"reuters_micro_f1": 0.5, "reuters_spread": 0.0}),
        (
            "intents",
            [{"accuracy": 1.0, "unfamiliar_auroc": 0.5}],
            {"intents_accuracy": 1.0, "unfamiliar_auroc": 0.5, "intents_spread": 0.0},
        ),
    ],
)
def test_figures_are_means_over_the_runs_that_have_them(
    name: str, runs: list[Mapping[str, float]], figures: Mapping[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "measure", lambda _problem, seed, _folder: runs[seed - 1])

    *_, found = quality._trained(Problem(name=name, data=Path("data.csv")), Seeds(count=len(runs)))

    assert found == (figures, [{"seed": number, **run} for number, run in enumerate(runs, 1)])


def test_each_run_is_kept_when_it_has_ended_and_a_seed_takes_the_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracy = {1: 0.25, 2: 0.75}

    def third_is_cut(_problem: Problem, seed: int, _folder: Path) -> Mapping[str, float]:
        if seed == 3:
            raise SystemExit("cut")
        return {"accuracy": accuracy[seed]}

    data = tmp_path / "tickets.csv"
    data.touch()
    record = Record(tmp_path / "quality.json", tmp_path / "page.md")
    monkeypatch.setattr(quality, "RECORD", record)
    monkeypatch.setattr(quality, "measure", third_is_cut)
    monkeypatch.setattr(sys, "argv", ["quality", str(data), "tickets"])

    with pytest.raises(SystemExit, match="cut"):
        quality.main()
    assert record.load()["figures"]["tickets_accuracy"] == 0.5

    accuracy[1] = 0.5
    monkeypatch.setattr(sys, "argv", ["quality", str(data), "tickets", "--seed", "1"])
    quality.main()
    assert record.load()["figures"]["tickets_accuracy"] == 0.625
    assert [run["seed"] for run in record.load()["parts"]["tickets"]["details"]] == [1, 2]


def test_windows_are_compared_with_cutting_off_in_the_same_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []

    def train(options: Sequence[str], _folder: Path) -> Manifest:
        asked.append(options)
        metrics = {"accuracy": 0.75 if "--long" in options else 0.5}
        return read_manifest(write_tiny_artifact(tmp_path / str(len(asked)))).model_copy(update={"metrics": metrics})

    monkeypatch.setattr(quality_run, "_train", train)
    monkeypatch.setattr(quality_run, "texts_per_s", lambda _version, _texts: {"cut_texts_per_s": 2.0})
    record = Record(tmp_path / "quality.json", tmp_path / "page.md")
    monkeypatch.setattr(quality, "RECORD", record)
    record.store({"parts": {"posts16k": {"details": [{"seed": 1, "accuracy": 0.25, "seconds": 1.0}]}}, "figures": {}})
    data = tmp_path / "stackoverflow_16k_train.csv"
    data.write_text("post,tags\nhow do I join two tables,sql\nlist comprehension,python\n")

    *_, (figures, runs) = quality._parts([data], Seeds(count=2), "HEAD")["windows"]()

    assert figures == {"windows_gain_16k": 0.375}
    assert [run["cut_accuracy"] for run in runs] == [0.25, 0.5]
    seeds = [(options[options.index("--seed") + 1], "--long" in options) for options in asked]
    assert seeds == [("1", True), ("2", False), ("2", True)]
    assert "windows" not in quality._parts([tmp_path / "tickets.csv"], Seeds(), "HEAD")


def test_no_engine_is_loaded_whose_settings_a_training_would_inherit() -> None:
    asked = "import sys, benchmarks.quality; print([name for name in sys.modules if name.startswith('worker.engine')])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
