"""An id proves that it was issued, and has one spelling."""

from __future__ import annotations

from contract.ids import issue, new_key, was_issued

DIGITS = "abcdefghijklmnopqrstuvwxyz234567"


def test_an_issued_id_is_known_and_that_of_another_key_is_not() -> None:
    key = new_key()
    job_id = issue(key, 1_700_000_000_000)
    assert was_issued(key, job_id)
    assert not was_issued(new_key(), job_id)


def test_no_other_spelling_of_an_id_counts_as_issued() -> None:
    key = new_key()
    job_id = issue(key, 1_700_000_000_000)
    twins = {job_id[:-1] + digit for digit in DIGITS} - {job_id}
    assert not any(was_issued(key, twin) for twin in [*twins, job_id.upper(), job_id + "=", job_id.capitalize(), ""])
