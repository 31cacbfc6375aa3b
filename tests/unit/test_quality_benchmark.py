"""What the benchmark of quality makes of the files that it is given."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks import quality
from benchmarks.quality import Problem
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

    assert quality._trained(Problem(name=name, data=Path("data.csv")), len(runs)) == (figures, runs)


def test_windows_are_compared_with_cutting_off_in_the_same_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []
    accuracy = {"cut": 0.5, "mean": 0.75}

    def train(options: Sequence[str], _folder: Path) -> Manifest:
        asked.append(options)
        metrics = {"accuracy": accuracy[options[options.index("--long") + 1]]}
        return read_manifest(write_tiny_artifact(tmp_path / str(len(asked)))).model_copy(update={"metrics": metrics})

    monkeypatch.setattr(quality, "_train", train)
    data = tmp_path / "stackoverflow_16k_train.csv"

    figures, _ = quality._parts([data], 2, "HEAD")["windows"]()

    assert figures == {"windows_gain_16k": 0.25}
    assert [options[options.index("--seed") + 1] for options in asked] == ["1", "1", "2", "2"]
    assert {options[options.index("--max-length") + 1] for options in asked} == {"256"}
    assert "windows" not in quality._parts([tmp_path / "tickets.csv"], 1, "HEAD")
