"""Decay by rule, rates by path, and a schedule whose corners are worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.optimizer import make_optimizer, schedule
from tests.training.toy import optimizer_config

PARAMS = {
    "encoder": {"up": {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full(2, 2.0)}, "norm": {"scale": jnp.full(2, 2.0)}},
    "words": {"embedding": jnp.full((3, 2), 2.0)},
    "log_inverse_temperature": jnp.float32(2.0),
}
ZEROS = {
    "encoder": {"up": {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}, "norm": {"scale": jnp.zeros(2)}},
    "words": {"embedding": jnp.zeros((3, 2))},
    "log_inverse_temperature": jnp.float32(0),
}


def update_of(gradient, **fields):
    """The second update: the first one has rate 0, where the warm-up starts."""
    config = optimizer_config(warmup_fraction=0.0, steps=1000, final_fraction=1.0, **fields)
    optimizer = make_optimizer(config, PARAMS)
    _, state = optimizer.update(gradient, optimizer.init(PARAMS), PARAMS)
    return optimizer.update(gradient, state, PARAMS)[0]


def ones_like(tree):
    return {k: ones_like(v) if isinstance(v, dict) else jnp.ones_like(v) for k, v in tree.items()}


def test_weight_decay_acts_on_kernels_alone():
    update = update_of(ZEROS, learning_rate=0.5, weight_decay=0.1)
    np.testing.assert_allclose(update["encoder"]["up"]["kernel"], -0.5 * 0.1 * 2.0, rtol=1e-5)
    for other in (update["encoder"]["up"]["bias"], update["encoder"]["norm"]["scale"], update["words"]["embedding"]):
        assert not other.any()
    assert update["log_inverse_temperature"] == 0


def test_everything_decays_where_the_config_says_so():
    update = update_of(ZEROS, learning_rate=0.5, weight_decay=0.1, decayed="everything")
    for leaf in jax.tree.leaves(update):
        np.testing.assert_allclose(leaf, -0.5 * 0.1 * 2.0, rtol=1e-5)


def test_rate_factors_scale_the_update_and_the_first_match_counts():
    rules = (("log_inverse", 10.0), ("encoder/.*kernel", 0.1), ("encoder", 0.5))
    plain = update_of(ones_like(PARAMS), weight_decay=0.1)
    scaled = update_of(ones_like(PARAMS), weight_decay=0.1, rate_factors=rules)
    for factor, path in (
        (10.0, ("log_inverse_temperature",)),
        (0.1, ("encoder", "up", "kernel")),
        (0.5, ("encoder", "up", "bias")),
        (1.0, ("words", "embedding")),
    ):
        before, after = plain, scaled
        for name in path:
            before, after = before[name], after[name]
        np.testing.assert_allclose(after, factor * before, rtol=1e-6)


def test_the_gradient_is_clipped_by_its_global_norm():
    # 4 + 2 + 2 + 6 + 1 = 15 ones have norm sqrt(15). Adam forgets a constant scale, so the second gradient is larger.
    ones = ones_like(PARAMS)
    small, at_the_norm = _times(ones, 0.01), _times(ones, 2 / 15**0.5)
    clipped = second_update(small, _times(ones, 50.0), clip_norm=2.0)
    expected = second_update(small, at_the_norm, clip_norm=1e9)
    unclipped = second_update(small, _times(ones, 50.0), clip_norm=1e9)
    np.testing.assert_allclose(clipped, expected, rtol=1e-5)
    assert abs(unclipped / expected - 1) > 0.01


def second_update(first, second, **fields) -> float:
    config = optimizer_config(warmup_fraction=0.0, steps=1000, weight_decay=0.0, **fields)
    optimizer = make_optimizer(config, PARAMS)
    _, state = optimizer.update(first, optimizer.init(PARAMS), PARAMS)
    return float(optimizer.update(second, state, PARAMS)[0]["log_inverse_temperature"])


def _times(tree, factor):
    return {k: _times(v, factor) if isinstance(v, dict) else v * factor for k, v in tree.items()}


def test_schedule_values_worked_by_hand():
    rate = schedule(optimizer_config(steps=100, learning_rate=2.0, warmup_fraction=0.1, final_fraction=0.25))
    expected = {0: 0.0, 5: 1.0, 10: 2.0, 55: (2.0 + 0.5) / 2, 100: 0.5}
    # a third of the way down the cosine: 0.5 + 1.5 (1 + cos 60 deg) / 2
    expected[40] = 0.5 + 1.5 * 0.75
    for step, value in expected.items():
        np.testing.assert_allclose(rate(step), value, rtol=1e-6)


def test_the_shortest_run_has_a_schedule():
    for steps in (1, 2, 3):
        assert 0 <= float(schedule(optimizer_config(steps=steps, warmup_fraction=0.99))(1)) < 0.11


def test_a_rate_factor_that_matches_nothing_is_refused():
    with pytest.raises(CgdmerError, match='"decoder" matches no parameter; paths look like "encoder/'):
        make_optimizer(optimizer_config(rate_factors=(("encoder", 1.0), ("decoder", 2.0))), PARAMS)
    with pytest.raises(CgdmerError, match="is not a regular expression"):
        make_optimizer(optimizer_config(rate_factors=(("enc(", 1.0),)), PARAMS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("weight_decay", float("inf")),
        ("warmup_fraction", 1.0),
    ],
)
def test_impossible_values_are_refused_by_name(field, value):
    with pytest.raises(CgdmerError, match=f"config.optimizer.{field} is {value}"):
        optimizer_config(**{field: value})
