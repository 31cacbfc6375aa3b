"""Breaks one place after another of the pure modules, and shows what no test noticed. Behind `make mutants`.

Each module is held to the unit tests nearest to it alone: a rule that only a distant test notices is a rule that nobody
finds again. mutmut works in run/mutants, a copy of the project in which the client lies at the top, for it knows a
module by its path. docs/testing.md has the figure and says of each survivor why it may live.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

TREE = Path("run/mutants")
CLIENT = "client/"
ENOUGH = 0.9
"""Share of the changes that tests must notice, in all modules together."""

NEAREST: Mapping[str, tuple[str, ...]] = {
    "api/jobs/backpressure.py": ("test_api_backpressure",),
    "api/jobs/coalesce.py": ("test_api_coalesce",),
    "api/jobs/result_stream.py": ("test_api_results", "test_result_stream"),
    "api/jobs/results.py": ("test_api_results", "test_result_stream"),
    "client/retort_client/retry.py": ("client/test_retry",),
    "contract/job_record.py": ("test_job_record",),
    "contract/message.py": ("test_message",),
    "training/data/split.py": ("test_training_split", "test_training_stratification"),
    "training/evaluation/calibration.py": ("test_training_calibration",),
    "worker/engine/packing.py": ("test_packing",),
    "worker/pipeline/batcher.py": ("test_batcher",),
    "worker/pipeline/inference.py": ("test_inference", "test_inference_faults", "test_handler_windows"),
}
"""The tests, within tests/unit, that hold a module's rules."""

SETUP = """[mutmut]
source_paths =
    contract
    encoders
    api
    worker
    training
    retort_client
only_mutate =
    {module}
also_copy =
    client
    harness
    storage
    local
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    -p
    no:cacheprovider
process_isolation = forkserver
timeout_multiplier = 8
"""
RESULT = re.compile(r"^ *(\S+__mutmut_\d+): (.+)$", re.MULTILINE)
NOTICED = ("killed", "timeout", "segfault", "suspicious")
"""The last of a process of tests that ended by itself, as one does when a thread that a worker lives by fails."""


def lay_out(tree: Path, module: str) -> None:
    """Copy the files that git does not ignore into a fresh `tree`, set up to change this one module."""
    shutil.rmtree(tree, ignore_errors=True)
    for name in subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], text=True
    ).split("\0"):
        if name and Path(name).is_file():
            target = tree / name.removeprefix(CLIENT if name.startswith(f"{CLIENT}retort_client/") else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target)
    tests = "\n    ".join(f"tests/unit/{test}.py" for test in NEAREST[module])
    (tree / "setup.cfg").write_text(SETUP.format(module=module.removeprefix(CLIENT), tests=tests), encoding="utf-8")


def run(module: str) -> dict[str, str]:
    """What became of each change in the module, by its name."""
    lay_out(TREE, module)
    log = TREE / "mutmut.log"
    with log.open("wb") as output:
        done = subprocess.run([*_mutmut(), "run"], cwd=TREE, stdout=output, stderr=subprocess.STDOUT)
    found = results(_ask("results", "--all", "true"))
    if done.returncode != 0 or not found:
        sys.exit(f"{module}: the tests fail without any change, or mutmut did; {log} has what it said")
    return found


def results(printed: str) -> dict[str, str]:
    """What `mutmut results` says, by the change's name."""
    return dict(RESULT.findall(printed))


def unnoticed(found: Mapping[str, str]) -> list[str]:
    """The changes that no test is known to notice. A test that then runs for ever has noticed."""
    return [name for name, fate in found.items() if fate not in NOTICED]


def show(module: str, found: Mapping[str, str]) -> None:
    alive = unnoticed(found)
    print(f"{module}: {len(found) - len(alive)} of {len(found)} noticed", flush=True)
    for name in alive:
        changed = [line for line in _ask("show", name).splitlines() if re.match(r"[-+] ", line)]
        print("", f"{name}: {found[name]}", *changed, sep="\n    ", flush=True)


def _mutmut() -> list[str]:
    return [sys.executable, "-m", "mutmut"]


def _ask(*arguments: str) -> str:
    return subprocess.check_output([*_mutmut(), *arguments], cwd=TREE, text=True)


def main(modules: list[str]) -> int:
    if unknown := set(modules) - NEAREST.keys():
        print(f"{', '.join(sorted(unknown))}: choose from\n" + "\n".join(NEAREST), file=sys.stderr)
        return 2
    os.nice(10)
    total: Counter[str] = Counter()
    for module in modules or NEAREST:
        found = run(module)
        show(module, found)
        total.update(made=len(found), unnoticed=len(unnoticed(found)))
    noticed = 1 - total["unnoticed"] / total["made"]
    print(f"all: {total['made'] - total['unnoticed']} of {total['made']} noticed, {noticed:.1%}")
    return 0 if noticed >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
