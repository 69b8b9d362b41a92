"""A tower in two stacks is the tower in one; pooling by hand; what is frozen by name."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.models.text.bert import BertEncoder
from cgdmer_jax.models.text.states import TextStates
from cgdmer_jax.models.text.t5 import T5Encoder
from cgdmer_jax.models.text.tower import (
    ALL,
    describe,
    frozen_pattern,
    join_blocks,
    make_tower,
    n_frozen,
    pool,
    rate_factors,
    split_blocks,
)
from cgdmer_jax.models.transformer import Compute

BERT = BertEncoder(
    vocabulary=20, max_tokens=8, token_types=2, width=8, depth=3, heads=2, hidden=12, activation="gelu", epsilon=1e-6
)
T5 = T5Encoder(
    vocabulary=20, width=8, depth=3, heads=2, head_width=4, hidden=12, activation="relu", gated=True, buckets=8,
    max_distance=20, epsilon=1e-6,
)  # fmt: skip
COMPUTE = Compute(unroll=3)
TOKENS = np.array([[2, 5, 7, 3, 0], [2, 9, 3, 0, 0]], np.int32)
LENGTH = np.array([4, 3], np.int32)


@pytest.mark.parametrize("whole", [BERT, T5])
@pytest.mark.parametrize("trained", [0, 1, 3])
def test_blocks_in_two_stacks_give_the_states_of_one(whole, trained):
    like = jax.eval_shape(whole.init, jax.random.key(0), TOKENS, LENGTH)["params"]
    draw = np.random.default_rng(0)
    params = jax.tree.map(lambda x: jnp.asarray(draw.normal(size=x.shape), x.dtype), like)
    tower = make_tower(describe(whole), trained=trained, compute=COMPUTE)
    split = split_blocks(params, tower.frozen)
    assert n_frozen(split) == tower.frozen == 3 - trained
    found = jax.jit(tower.apply)({"params": split}, TOKENS, LENGTH)
    expected = jax.jit(whole.apply)({"params": params}, TOKENS, LENGTH)
    np.testing.assert_allclose(found.tokens, expected.tokens, rtol=1e-5, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, join_blocks(split), params)


def test_what_is_frozen_goes_by_the_paths_of_the_parameters():
    places = {
        "text_tower/token": "bottom",
        "text_tower/token_type": "bottom",
        "text_tower/norm/scale": "bottom",
        "text_tower/frozen_blocks/up/kernel": "bottom",
        "text_tower/blocks/norm_mlp/scale": "top",
        "text_tower/pool/kernel": "pooler",
        "second_encoders/text_tower/token": "other",
    }

    def frozen(trained: int, pooler: bool) -> set[str]:
        pattern = frozen_pattern(BERT, trained, pooler=pooler)
        return set() if pattern is None else {kind for place, kind in places.items() if re.search(pattern, place)}

    assert frozen(ALL, True) == set()
    assert frozen(ALL, False) == {"pooler"}  # nothing reads it: weight decay alone would move it
    assert frozen(2, True) == {"bottom"}
    assert frozen(2, False) == {"bottom", "pooler"}
    assert frozen(0, True) == {"bottom", "top", "pooler"}
    pattern = frozen_pattern(T5, 1, pooler=False)
    assert not re.search(pattern, "text_tower/norm/scale") and re.search(pattern, "text_tower/relative")  # T5's last
    assert rate_factors("x", 1, 0.1) == (("x", 0.0), ("^text_tower/", 0.1))
    assert rate_factors("x", 0, 0.1) == (("x", 0.0),)
    assert rate_factors(None, ALL, 0.1) == (("^text_tower/", 0.1),)


@pytest.mark.parametrize("trained", [-2, 4])
def test_more_blocks_than_there_are_cannot_be_trained(trained):
    with pytest.raises(CgdmerError, match=r"text_trained is .*, the text encoder has 3 blocks"):
        make_tower(describe(BERT), trained=trained, compute=COMPUTE)


def test_poolings_by_hand():
    states = TextStates(jnp.arange(12.0).reshape(2, 3, 2), jnp.full((2, 2), 7.0))
    length = jnp.array([2, 3])
    np.testing.assert_allclose(pool(states, length, "mean"), [[1, 2], [8, 9]])
    np.testing.assert_allclose(pool(states, length, "cls"), [[0, 1], [6, 7]])
    np.testing.assert_allclose(pool(states, length, "pooler"), 7)
    with pytest.raises(CgdmerError, match="has no pooler"):
        pool(states._replace(pooled=None), length, "pooler")
    with pytest.raises(CgdmerError, match='Did you mean "mean"'):
        pool(states, length, "men")
