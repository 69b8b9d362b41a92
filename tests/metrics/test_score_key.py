"""One set of scores has one key and one name, and the name says the whole key."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import KEY
from cgdmer_jax.metrics.score_key import VAL_LABELS, ScoreKey, key_of, parse_key

RESULTS = Path(__file__).parents[2] / "results"
SHARES = [(1.0, "full"), *product((0.1, 0.01, 0.05, 1e-5, 1 / 3), VAL_LABELS)]
KEYS = [
    ScoreKey(task, evaluation, method, feature, variant, leads, *share)
    for task, evaluation, method, share in product(
        ("super", "sub_exact"), ("probe", "missing_leads"), ("cgdmer", "random_weights"), SHARES
    )
    for feature, variant, leads in [
        (None, None, "all"),
        *product(("main", "aligned"), (None, "both", "max_test"), ("all",)),
        *product(("main",), ("native", "zero_fill"), ("I", "I+II+V2", "random9")),
    ]
]


def test_every_key_is_read_back_from_its_text_and_no_two_have_the_same():
    assert [parse_key(key.text()) for key in KEYS] == KEYS
    assert len({key.text() for key in KEYS}) == len(set(KEYS)) == len(KEYS)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (ScoreKey("findings", "probe", "cgdmer", "main"), "findings/probe/cgdmer/main"),
        (ScoreKey("super", "zero_shot", "cgdmer", "aligned", "both"), "super/zero_shot/cgdmer/aligned/both"),
        (ScoreKey("f", "missing_leads", "merl", "main", "native", "I+II"), "f/missing_leads/merl/main/native/I+II"),
        (
            ScoreKey("sub", "probe", "random_convolutions", "ridge", label_fraction=0.01, val_labels="cut"),
            "sub/probe/random_convolutions/ridge/0.01/cut",
        ),
        (
            ScoreKey("sub", "probe", "cgdmer", "main", "max_test", label_fraction=0.1),
            "sub/probe/cgdmer/main/max_test/0.1/full",
        ),
    ],
)
def test_the_names_are_those_of_every_file_written_so_far(key, text):
    assert key.text() == text and parse_key(text) == key


def test_every_name_in_the_committed_results_is_read_and_would_be_written_the_same():
    files = sorted(RESULTS.glob("ablation-*.npz"))
    names = {name.rpartition("/")[0] for file in files for name in np.load(file).files}
    assert len(names) > 4
    assert {parse_key(name).text() for name in names} == names


@pytest.mark.parametrize(
    "text", ["", "super/labels", "a/b/c/d/e/f/g", "a/probe/m/f/half/cut", "a/probe/m/f/1.0/full", "a/probe/m/f/2/cut"]
)
def test_another_name_is_refused(text):
    with pytest.raises(CgdmerError, match="is not the name of a set of scores"):
        parse_key(text)


@pytest.mark.parametrize("key", [ScoreKey("a", "b", "c", None, "v"), ScoreKey("a", "b", "c", "f", None, "I")])
def test_a_key_whose_text_would_be_that_of_another_has_none(key):
    with pytest.raises(ValueError, match="has no name"):
        key.text()


def test_a_row_has_the_key_of_its_fields():
    row = dict.fromkeys(KEY, None) | {"task": "sub", "evaluation": "probe", "method": "merl", "feature": "main"}
    row |= {"leads": "all", "label_fraction": 0.1, "val_labels": "cut"}
    assert key_of(row) == ScoreKey("sub", "probe", "merl", "main", None, "all", 0.1, "cut")
