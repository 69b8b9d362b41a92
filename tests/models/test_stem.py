"""The convolutional stem reads the samples of its own patch, all of them, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.ecg.stem import ConvStem


@pytest.mark.parametrize("samples", [20, 40, 50, 100, 33])
def test_a_token_depends_on_every_sample_of_its_patch_and_on_no_other_patch(samples):
    stem = ConvStem(32)
    patches = jax.random.normal(jax.random.key(0), (2, 3, samples))
    params = stem.init(jax.random.key(1), patches)
    token = jax.jit(lambda p: stem.apply(params, p))
    moved = np.abs(np.asarray(jax.jacobian(lambda p: token(p)[0, 1])(patches))).sum(0)  # [record, slot, sample]
    assert token(patches).shape == (2, 3, 32)
    assert (moved[0, 1] > 0).all()
    moved[0, 1] = 0
    assert not moved.any()


def test_the_stem_has_few_parameters_and_dead_slots_stay_finite():
    stem = ConvStem(128)
    patches = jnp.zeros((1, 1, 40))
    params = stem.init(jax.random.key(0), patches)
    # 8 x 32 + 32, 128 x 64 + 64, 320 x 128 + 128
    assert sum(x.size for x in jax.tree.leaves(params)) == 288 + 8256 + 41088
    assert np.isfinite(np.asarray(stem.apply(params, patches))).all()
