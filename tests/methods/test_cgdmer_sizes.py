"""Every size of configs/cgdmer.py becomes a method; `base` is compiled on shapes alone."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.config import from_fields
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.method import CgDmerConfig
from cgdmer_jax.methods.protocol import Variables
from configs.cgdmer import FROM_SCRATCH, get_config
from tests.methods.sized import BATCH, method_of, shapes

KEY = jax.eval_shape(lambda: jax.random.key(0))


def n_parameters(params) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("size", FROM_SCRATCH)
def test_each_size_has_the_tokens_and_slots_that_its_config_says(size):
    config = get_config(size)
    method, batch = method_of(config), shapes(config.data.max_tokens)
    drawn = jax.eval_shape(method.draw, KEY, batch, jnp.float32(0))
    tokens = 12 * round(10 / config.method.patch_seconds)
    assert drawn.kept.index.shape == (BATCH, tokens // 4)
    assert drawn.hidden.index.shape == (BATCH, tokens - tokens // 4)
    assert drawn.masked.slots.index.shape == (BATCH, round(0.15 * config.data.max_tokens))


def test_base_compiles_loss_and_gradient_on_shapes_alone():
    config = get_config("base")
    config.method.unroll = 1  # rematerialisation saves memory on a CPU only so (docs/performance.md)
    method, batch = method_of(config), shapes(config.data.max_tokens)
    params = jax.eval_shape(method.init, KEY, batch).params
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(params))
    # 12 blocks of 12 width^2 + 13 width, and little beside: the encoder of ViT-B
    assert n_parameters(params["ecg_encoder"]) == pytest.approx(12 * (12 * 768**2 + 13 * 768), rel=1e-3)

    def step(params, batch, key):
        def loss(params):
            draws = method.draw(key, batch, jnp.float32(0.5))
            return method.loss(Variables(params, {}), batch, draws, train=True)

        return jax.value_and_grad(loss, has_aux=True)(params)

    lowered = jax.jit(step).lower(params, batch, KEY)
    (loss, aux), gradient = lowered.out_info
    assert loss.shape == () and loss.dtype == np.float32
    assert all(term.dtype == np.float32 for term in aux.terms.values())
    assert jax.tree.map(lambda a: (a.shape, a.dtype), gradient) == jax.tree.map(lambda a: (a.shape, a.dtype), params)
    assert "bf16" in lowered.as_text()
    memory = lowered.compile().memory_analysis()
    assert memory.argument_size_in_bytes >= 4 * n_parameters(params)  # float32
    assert memory.temp_size_in_bytes < 10 * 2**30  # for 64 records; 6.6 GiB on 2026-11-26, 26 GiB with remat none


def test_an_unknown_size_names_the_known_ones():
    with pytest.raises(ValueError, match="quickstart, nano, tiny, small, base"):
        get_config("huge")


def test_a_wrong_field_of_the_config_is_refused_by_name():
    config = get_config("nano").method.to_dict()
    config["mask_ration"] = config.pop("mask_ratio")
    with pytest.raises(CgdmerError, match="mask_ratio"):
        from_fields(CgDmerConfig, config)
