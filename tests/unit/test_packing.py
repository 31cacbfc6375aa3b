from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.artifact import Architecture
from worker.engine.packing import (
    BatchPlan,
    Shape,
    batch_tokens,
    brief_tokens,
    estimated_cost,
    lay_out,
    more_tokens,
    pack,
    plan,
    shapes,
)

MAX_LENGTH = 256
SHAPES = shapes(MAX_LENGTH, 1024)
lengths_of_texts = st.lists(st.integers(2, MAX_LENGTH), min_size=1, max_size=120)


@given(lengths_of_texts)
def test_no_text_is_in_a_batch_twice_and_the_most_urgent_is_always_in_it(lengths: list[int]) -> None:
    texts = plan(lengths, SHAPES).texts
    assert texts[0] == 0
    assert all(earlier < later for earlier, later in pairwise(texts))


@given(lengths_of_texts)
def test_every_token_has_a_place_of_its_own(lengths: list[int]) -> None:
    made = plan(lengths, SHAPES)
    taken = np.zeros(made.shape, int)
    for text, row, offset, _ in made.places:
        assert offset + lengths[text] <= made.shape.length
        taken[row, offset : offset + lengths[text]] += 1
    assert taken.max() == 1
    assert taken.sum() == made.tokens == sum(lengths[text] for text in made.texts)


@given(lengths_of_texts)
def test_texts_of_a_row_have_slots_of_their_own(lengths: list[int]) -> None:
    made = plan(lengths, SHAPES)
    slots = [(place.row, place.slot) for place in made.places]
    assert len(set(slots)) == len(slots)
    assert all(slot < made.shape.slots for _, slot in slots)


@given(lengths_of_texts)
def test_every_text_is_answered_after_finitely_many_batches(lengths: list[int]) -> None:
    waiting = list(range(len(lengths)))
    answered: list[int] = []
    for _ in range(len(lengths)):
        if not waiting:
            break
        taken = [waiting[index] for index in plan([lengths[text] for text in waiting], SHAPES).texts]
        answered += taken
        waiting = [text for text in waiting if text not in taken]
    assert sorted(answered) == list(range(len(lengths)))


@given(st.lists(st.integers(2, 16), min_size=1, max_size=7), st.integers(1, 3))
def test_what_is_left_out_fits_nowhere(lengths: list[int], rows: int) -> None:
    shape = Shape(rows, 16)
    made = pack(lengths, shape, range(len(lengths)))
    free, texts = _free_and_texts(made, lengths)
    for left_out in set(range(len(lengths))) - set(made.texts):
        assert all(room < lengths[left_out] or count == shape.slots for room, count in zip(free, texts, strict=True))


@given(st.lists(st.integers(2, 16), min_size=1, max_size=12), st.integers(1, 3))
def test_a_text_goes_where_it_leaves_the_least_room(lengths: list[int], rows: int) -> None:
    shape = Shape(rows, 16)
    free, texts = [shape.length] * rows, [0] * rows
    for place in pack(lengths, shape, range(len(lengths))).places:
        length = lengths[place.text]
        open_rows = [row for row in range(rows) if free[row] >= length and texts[row] < shape.slots]
        assert free[place.row] == min(free[row] for row in open_rows)
        assert (place.offset, place.slot) == (shape.length - free[place.row], texts[place.row])
        free[place.row] -= length
        texts[place.row] += 1


def test_batches_hold_nearly_as_much_as_the_best_of_all_packings() -> None:
    generator = np.random.default_rng(0)
    shape = Shape(2, 32)
    found = best = 0
    for _ in range(60):
        lengths = [int(length) for length in generator.integers(2, 24, 7)]
        found += pack(lengths, shape, range(len(lengths))).tokens
        best += _most_tokens(lengths, shape)
    assert found / best >= 0.9


def test_long_texts_share_long_rows_ahead_of_short_ones_that_are_more_urgent() -> None:
    made = plan([200, *[10] * 200, 180, 190, 170], SHAPES)
    assert set(made.texts) >= {0, 201, 202, 203}


def test_a_text_that_fits_shorter_rows_is_none_of_the_long_ones() -> None:
    rows = [Shape(2, 256)]
    assert plan([250, 100, 128, 129], rows).texts == [0, 1, 3]
    assert plan([250, 128, 100], rows).texts == [0, 1, 2]


def test_a_batch_that_would_be_a_quarter_empty_leaves_a_text_to_the_next_one() -> None:
    rows = [Shape(count, 64) for count in (1, 2, 4, 8)]
    assert plan([64] * 3, rows).texts == [0, 1]
    assert plan([64, 20], rows).texts == [0]
    assert plan([64] * 7, rows).texts == list(range(7))


def test_of_batches_that_do_as_much_in_a_second_the_largest_is_taken() -> None:
    cost = {Shape(1, 64): 1.0, Shape(2, 64): 2.0, Shape(4, 64): 3.0}
    assert plan([64] * 3, list(cost), cost.__getitem__).texts == [0, 1, 2]


def test_rows_are_chosen_by_their_cost_whatever_their_length() -> None:
    dear = {16: 2, 32: 2, 64: 2, 128: 10, 256: 1}
    assert plan([16] * 64, SHAPES, lambda shape: dear[shape.length] * shape.tokens).shape == Shape(4, 256)


def test_a_batch_goes_in_the_cheapest_shape_that_holds_it_whatever_its_size() -> None:
    cost = {Shape(1, 64): 5.0, Shape(2, 64): 3.0}
    assert plan([40], list(cost), cost.__getitem__).shape == Shape(2, 64)


def test_a_saturated_batch_is_nearly_full() -> None:
    generator = np.random.default_rng(0)
    waiting = _log_normal(generator, 400)
    real = computed = 0
    for _ in range(100):
        made = plan(waiting, SHAPES)
        real, computed = real + made.tokens, computed + made.shape.tokens
        left = [length for index, length in enumerate(waiting) if index not in set(made.texts)]
        waiting = left + _log_normal(generator, len(waiting) - len(left))
    assert real / computed >= 0.97


def test_a_lone_text_gets_the_shortest_row_that_holds_it() -> None:
    for length in range(2, MAX_LENGTH + 1):
        assert plan([length], SHAPES).shape == min(shape for shape in SHAPES if shape.length >= length)


def test_texts_that_wait_together_share_a_batch() -> None:
    made = plan([20, 100], SHAPES)
    assert made.texts == [0, 1]


def test_shapes_double_their_rows_up_to_the_token_budget() -> None:
    assert shapes(256, 1024) == [
        Shape(1, 16), Shape(1, 32),
        *(Shape(rows, 64) for rows in (1, 2, 4, 8, 16)),
        *(Shape(rows, 128) for rows in (1, 2, 4, 8)),
        *(Shape(rows, 256) for rows in (1, 2, 4)),
    ]  # fmt: skip
    assert shapes(100, 64)[2:] == [Shape(1, 64), Shape(1, 112)]
    assert shapes(112, 100)[2:] == [Shape(1, 64), Shape(1, 112)]
    assert shapes(20, 128)[2:] == [Shape(1, 64), Shape(2, 64)]


def test_a_batch_costs_its_tokens_its_attention_and_a_share_of_its_own() -> None:
    assert estimated_cost(Shape(2, 300)) == pytest.approx(600 * 1.2 + 32)
    assert estimated_cost(Shape(1, 16)) == pytest.approx(16 * (1 + 16 / 1500) + 32)


def test_a_row_has_a_slot_for_every_eight_tokens_and_one_at_least() -> None:
    assert [Shape(3, length).slots for length in (4, 8, 15, 16, 64)] == [1, 1, 1, 2, 8]


def test_no_shape_exceeds_the_token_budget_but_a_row_of_the_longest_text() -> None:
    for shape in shapes(max_length=512, tokens=256):
        assert shape.tokens <= 256 or shape == Shape(1, 512)


@pytest.mark.parametrize(
    ("size", "cpu_tokens"),
    [
        ({"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}, 1024),
        ({"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}, 512),
        ({"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096}, 256),
        ({"hidden_size": 1024, "num_hidden_layers": 23, "intermediate_size": 8}, 512),
        ({"hidden_size": 64, "num_hidden_layers": 11, "intermediate_size": 65536}, 512),
    ],
    ids=["minilm", "base", "large", "nearly all attention", "nearly all feed-forward"],
)
def test_a_cpus_full_batch_is_smaller_for_a_larger_model(size: dict[str, int], cpu_tokens: int) -> None:
    rest = {"vocab_size": 100, "num_attention_heads": 4, "max_position_embeddings": 512, "type_vocab_size": 2}
    architecture = Architecture.model_validate(size | rest)
    assert batch_tokens(architecture, gpu=False) == cpu_tokens
    assert batch_tokens(architecture, gpu=True) == 16384


@pytest.mark.parametrize(
    ("tokens", "seconds", "found"), [(1024, 0.02, 2048), (1024, 0.05, 2048), (1024, 0.051, 1024), (256, 0.2, 256)]
)
def test_a_fast_cpu_takes_more_tokens_at_a_time(tokens: int, seconds: float, found: int) -> None:
    assert more_tokens(tokens, seconds) == found


@pytest.mark.parametrize(("full_s", "tokens"), [(0.04, 256), (0.1, 256), (0.2, 512), (1.0, 1024)])
def test_a_brief_batch_takes_a_moment_or_a_share_of_a_full_ones_time(full_s: float, tokens: int) -> None:
    seconds = {Shape(1, 16): 0.01, Shape(4, 64): 0.035, Shape(8, 64): 0.05, Shape(16, 64): 0.2}
    assert brief_tokens(seconds, full_s) == tokens


def test_where_every_batch_takes_long_the_smallest_is_the_brief_one() -> None:
    assert brief_tokens({Shape(1, 64): 2.0, Shape(1, 16): 1.0}, full_s=2.0) == 16


def test_every_length_up_to_the_maximum_has_a_shape() -> None:
    for length in range(2, 101):
        assert plan([length], shapes(max_length=100, tokens=64)).texts == [0]


def test_a_text_longer_than_every_shape_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"\[300\]"):
        plan([300], SHAPES)
    with pytest.raises(ValueError, match="no shape"):
        plan([], SHAPES)


def test_a_text_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0\] of texts and the costs of shapes must be more than 0"):
        plan([0], SHAPES)


@given(lengths_of_texts)
def test_the_grid_holds_each_text_at_its_place(lengths: list[int]) -> None:
    texts = [np.full(length, 1000 + number, np.int32) for number, length in enumerate(lengths)]
    made = plan(lengths, SHAPES)
    grid = lay_out(texts, made)
    for text, row, offset, slot in made.places:
        span = slice(offset, offset + lengths[text])
        assert (grid.ids[row, span] == 1000 + text).all()
        assert (grid.position_ids[row, span] == np.arange(lengths[text])).all()
        assert (grid.segment_ids[row] == slot + 1).sum() == lengths[text]
        assert grid.cls_positions[row, slot] == offset
    assert {array.dtype.name for array in grid} == {"int32"}
    assert (grid.ids != 0).sum() == (grid.segment_ids != 0).sum() == made.tokens


def _free_and_texts(made: BatchPlan, lengths: list[int]) -> tuple[list[int], list[int]]:
    free, texts = [made.shape.length] * made.shape.rows, [0] * made.shape.rows
    for place in made.places:
        free[place.row] -= lengths[place.text]
        texts[place.row] += 1
    return free, texts


def _most_tokens(lengths: list[int], shape: Shape) -> int:
    """By trying every way to put each text into some row or none; the first text must be in."""
    best = 0
    for rows in product(range(-1, shape.rows), repeat=len(lengths)):
        sizes = [
            sum(length for length, row in zip(lengths, rows, strict=True) if row == each) for each in range(shape.rows)
        ]
        counts = [rows.count(each) for each in range(shape.rows)]
        if rows[0] >= 0 and max(sizes) <= shape.length and max(counts) <= shape.slots:
            best = max(best, sum(sizes))
    return best


def _log_normal(generator: np.random.Generator, count: int) -> list[int]:
    return [int(length) for length in np.clip(np.round(30 * np.exp(0.9 * generator.standard_normal(count))), 4, 256)]
