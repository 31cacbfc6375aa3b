"""What `make mutants` changes and counts."""

from __future__ import annotations

from pathlib import Path

from local.mutants import NEAREST, results, unnoticed

ROOT = Path(__file__).parents[2]

PRINTED = """
    contract.message.x_pack__mutmut_1: killed
    contract.message.x_pack__mutmut_2: survived
    contract.message.xǁTicketǁparse__mutmut_1: timeout
    contract.message.x_queue_name__mutmut_1: no tests
    contract.message.x_unpack__mutmut_1: not checked
"""


def test_every_module_and_every_test_that_it_is_held_to_is_there() -> None:
    files = [*NEAREST, *(f"tests/unit/{test}.py" for tests in NEAREST.values() for test in tests)]

    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_a_change_counts_as_noticed_only_when_a_test_failed_by_it() -> None:
    found = results(PRINTED)

    assert len(found) == 5
    assert unnoticed(found) == [name for name, fate in found.items() if fate not in ("killed", "timeout")]
    assert len(unnoticed(found)) == 3
