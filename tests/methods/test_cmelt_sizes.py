"""Sizes of configs/cmelt.py: tokens of each, and `base` part by part against the published parameter counts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.config import from_fields
from cgdmer_jax.methods.cmelt.config import CMeltConfig
from cgdmer_jax.methods.cmelt.method import NEGATIVES, CMelt
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Compute
from configs.cmelt import PRESETS, SIZES, get_config
from tests.methods.sized import shapes

KEY = jax.eval_shape(lambda: jax.random.key(0))
# google/flan-t5-base, its encoder
T5 = {
    "kind": "t5", "vocabulary": 32_128, "width": 768, "depth": 12, "heads": 12, "head_width": 64, "hidden": 2048,
    "activation": "gelu_new", "gated": True, "buckets": 32, "max_distance": 128, "epsilon": 1e-6,
    "mask_id": 32_099, "special_ids": (0, 1, 2), "weights_sha256": "",
}  # fmt: skip
# Millions, of the released model (the last: the projections, five small heads and the modality marks).
PUBLISHED = {"ecg": 62.0, "t5": 109.6, "fusion": 113.4, "words": 25.3, "decoder": 7.5, "rest": 3.6}
POSITIONS = 768 * 768 // 16 * 128 + 768  # the grouped convolution, which ours has not


def method_of(name: str, samples: int, rate: float) -> CMelt:
    config = get_config(name)
    fields = config.method.to_dict()
    if fields["text_tower"]:
        fields["text_architecture"] = dict(T5)
    return CMelt(
        from_fields(CMeltConfig, fields),
        n_leads=12,
        n_samples=samples,
        rate=rate,
        vocabulary=config.data.vocabulary or T5["vocabulary"],
        max_tokens=config.data.max_tokens,
        full_stop=-1,
    )


def batch_of(name: str, samples: int, size: int = 64):
    max_tokens = get_config(name).data.max_tokens
    batch = shapes(max_tokens)._replace(
        signal=jax.ShapeDtypeStruct((64, 12, samples), np.int16),
        text_columns={NEGATIVES: jax.ShapeDtypeStruct((64, 64, 2 + max_tokens), np.int32)},
    )
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype), batch)


def parts_of(params) -> dict[str, int]:
    places = {"ecg_encoder": "ecg", "text_tower": "t5", "fusion_layers": "fusion", "word_head": "words"}
    places |= {"ecg_decoder": "decoder"}
    found = dict.fromkeys(PUBLISHED, 0)
    for path, leaf in jax.tree.leaves_with_path(params):
        found[places.get(path[0].key, "rest")] += math.prod(leaf.shape)
    return found


def test_each_size_has_the_tokens_that_its_docs_say():
    for name, samples, tokens, kept in (("nano", 1000, 125, 31), ("tiny", 1000, 62, 16), ("base", 5000, 312, 78)):
        method = method_of(name, samples, samples / 10)
        drawn = jax.eval_shape(method.draw, KEY, batch_of(name, samples), jnp.float32(0))
        assert method.n_patches == tokens and drawn.kept.index.shape == (64, kept)
    assert [*SIZES] == ["nano", "tiny", "base"] and [*PRESETS] == ["right", "literal"]


@pytest.mark.parametrize("preset", PRESETS)
def test_base_has_the_published_parameters_part_by_part_but_for_the_positions(preset):
    method = method_of(f"base,{preset}", 5000, 500.0)
    params = jax.eval_shape(method.init, KEY, batch_of("base", 5000)).params
    found, published = parts_of(params), dict(PUBLISHED)
    if preset == "right":  # fixed positions instead of 4.7 M parameters
        published["ecg"] -= POSITIONS / 1e6
    for name, millions in published.items():
        assert found[name] / 1e6 == pytest.approx(millions, abs=0.06), name
    assert sum(found.values()) / 1e6 == pytest.approx(321.4 - (preset == "right") * POSITIONS / 1e6, abs=0.15)


def test_base_compiles_loss_and_gradient_on_shapes_alone():
    method, batch = method_of("base", 5000, 500.0), batch_of("base", 5000, 8)
    method.network = method.network.clone(compute=Compute("bfloat16", "dots", 1))
    params = jax.eval_shape(method.init, KEY, batch).params

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
    assert memory.argument_size_in_bytes >= 4 * sum(parts_of(params).values())
