"""Rows of two evaluations are matched by their key, and no difference is overlooked."""

import pytest

from benchmarks.evaluation_time import compare_rows
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import FIGURES, KEY

ROW = dict.fromkeys(KEY, "same") | dict.fromkeys(FIGURES, 0.5)


def row(**changed):
    return ROW | changed


def test_the_largest_difference_and_the_rows_beyond_the_tolerance_are_counted_by_kind():
    before = [row(task="a"), row(task="b", low=None), row(metric="ece")]
    after = [row(metric="ece", run="other"), row(task="a", high=0.500001), row(task="b", low=None, value=0.6)]
    same, ece = compare_rows(before, after)
    assert (same["rows"], same["beyond_1e-6"], ece["rows"], ece["beyond_1e-6"], ece["largest"]) == (2, 1, 1, 0, 0)
    assert same["largest"] == pytest.approx(0.1)


def test_a_figure_that_is_undefined_on_one_side_alone_is_an_infinite_difference():
    (found,) = compare_rows([row(high=None)], [row()])
    assert (found["beyond_1e-6"], found["largest"]) == (1, float("inf"))


def test_results_of_other_rows_are_refused():
    with pytest.raises(CgdmerError, match="in one of the two results alone"):
        compare_rows([row()], [row(), row(task="more")])
