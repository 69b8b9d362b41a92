"""Which blocks of each method's encoder are trained, and at what rate, against a list of them written here."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Size
from cgdmer_jax.training.optimizer import make_optimizer, parameter_path
from cgdmer_jax.training.state import start
from cgdmer_jax.training.step import make_step
from tests.methods.cmelt_small import make_cmelt
from tests.methods.conftest import CONFIG, N_TOKENS, RATE, SAMPLES, make_method
from tests.methods.finetune_small import CLASSES, config_of, small_finetune
from tests.methods.kmerl_small import make_kmerl
from tests.methods.merl_small import VIT, make_merl
from tests.training.toy import optimizer_config

KEY = jax.random.key(0)
# Number of blocks, and of each parameter which ones it holds (0: what stands before them), in the order to look.
STACK = {"/blocks/": (1, 2), "/norm/": (2,), "/(patch|position|positions)(/|$)": (0,)}
PLACES = {
    "cgdmer": (
        4,
        {
            "ecg_encoder/encoder/blocks/": (1, 2),
            "ecg_encoder/encoder/norm/": (2,),
            "ecg_encoder/(patch|positions)/": (0,),
            "(shared_encoder|specific_encoder_ecg)/blocks/": (3, 4),
            "(shared_encoder|specific_encoder_ecg)/norm/": (4,),
            "second_encoders/(modality|shared_input_ecg|specific_input_ecg)": (3,),
        },
    ),
    "cmelt": (
        2,
        {"/blocks/": (1, 2), "/(projection|pooler)_ecg/": (2,), "/(front_end|front_norm|token|cls|norm)(/|$)": (0,)},
    ),
    "kmerl": (2, STACK),
    "merl": (4, {"stem": (0,), **{f"stage{number}_": (number,) for number in (1, 2, 3, 4)}}),
    "merl_vit": (2, STACK),
}
MAKERS = {
    "cgdmer": lambda: make_method(dataclasses.replace(CONFIG, second=Size(16, 2, 2))),
    "cmelt": make_cmelt,
    "kmerl": make_kmerl,
    "merl": make_merl,
    "merl_vit": lambda: make_merl(ecg=VIT),
}


def finetune_of(name, **fields):
    size = {"n_leads": 12, "n_samples": SAMPLES, "rate": RATE, "max_tokens": N_TOKENS}
    return Finetune(config_of(**fields), MAKERS[name](), **size)


def blocks_of(name, path):
    """Blocks that a parameter of the encoder holds, as this file has them."""
    return next(blocks for pattern, blocks in PLACES[name][1].items() if re.search(pattern, path))


def by_path(tree):
    return {parameter_path(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def update_sizes(method, batch, **fields):
    """{path: size of each entry's update, as a share of the head's}: Adam forgets the scale of a constant gradient."""
    shapes = jax.eval_shape(method.init, KEY, batch).params
    params, gradient = (jax.tree.map(lambda x, v=value: jnp.full(x.shape, v), shapes) for value in (0.0, 1.0))
    config = optimizer_config(warmup_fraction=0.0, steps=1000, weight_decay=0.0, clip_norm=1e9, **fields)
    optimizer = make_optimizer(config, params, method.declared.rate_factors)
    _, state = optimizer.update(gradient, optimizer.init(params), params)
    found = by_path(optimizer.update(gradient, state, params)[0])
    return {path: update / found["head/logits/bias"][0] for path, update in found.items()}


@pytest.mark.parametrize("name", PLACES)
def test_each_block_learns_at_a_share_of_the_next_ones_rate_and_the_front_at_one_power_more(name, batch):
    depth = PLACES[name][0]
    sizes = update_sizes(finetune_of(name, encoder_lr_multiplier=0.5, layer_decay=0.8), batch)
    encoder = {path for path in sizes if path.startswith("encoder/")}
    assert len(encoder) > 10 and {0, depth} <= {block for path in encoder for block in blocks_of(name, path)}
    for path, found in sizes.items():
        wanted = [0.5 * 0.8 ** (depth - block) for block in blocks_of(name, path)] if path in encoder else [1.0]
        assert len(wanted) in (1, len(found))
        for entries, share in zip(np.array_split(found, len(wanted)), wanted, strict=True):
            np.testing.assert_allclose(entries, share, rtol=1e-5, err_msg=path)


@pytest.mark.parametrize(("name", "trained"), [("cgdmer", 1), ("cgdmer", 3), ("cgdmer", 4), ("merl", 2), ("cmelt", 1)])
def test_the_last_blocks_alone_have_a_gradient_and_a_rate(name, trained, batch):
    method, depth = finetune_of(name, encoder_trained=trained, layer_decay=0.5), PLACES[name][0]
    for path, found in update_sizes(method, batch).items():
        if path.startswith("encoder/"):
            blocks = blocks_of(name, path)
            wanted = [0.5 ** (depth - block) if block > depth - trained else 0.0 for block in blocks]
            for entries, share in zip(np.array_split(found, len(wanted)), wanted, strict=True):
                np.testing.assert_allclose(entries, share, rtol=1e-5, err_msg=path)


def labelled(batch):
    labels = np.random.default_rng(0).random((len(batch.row), len(CLASSES))) < 0.5
    return batch._replace(record_columns={"labels:toy": jnp.asarray(labels)})


def test_a_step_moves_the_last_blocks_and_no_bit_of_the_others(batch):
    method, batch = finetune_of("cgdmer", encoder_trained=1), labelled(batch)
    draw = np.random.default_rng(1)
    first = jax.tree.map(
        lambda x: jnp.asarray(draw.normal(0, 0.1, x.shape), x.dtype), jax.eval_shape(method.init, KEY, batch)
    )
    mlp = first.params["encoder"]["second_encoders"]["shared_encoder"]["blocks"]["mlp"]["up"]
    mlp["kernel"] = mlp["kernel"].at[0, 0].set(-0.0)  # plus 0 it is another bit
    before = {path: leaf.copy() for path, leaf in by_path(first.params).items()}
    optimizer = make_optimizer(
        optimizer_config(steps=9, warmup_fraction=0.0), first.params, method.declared.rate_factors
    )
    state, step = start(first, optimizer), make_step(method, optimizer, KEY, 9)
    for _ in range(2):  # the first one has rate 0
        state, metrics = step(state, batch)
    after = by_path(state.variables.params)
    assert float(metrics["gradient_norm"]) > 0
    for path, leaf in before.items():
        if not path.startswith("encoder/"):
            continue
        blocks = blocks_of("cgdmer", path)
        parts = [np.array_split(one, len(blocks)) for one in (leaf, after[path])]
        for block, was, now in zip(blocks, *parts, strict=True):
            if block < 4:
                assert was.tobytes() == now.tobytes(), path
            elif "/key/bias" not in path:  # nothing is gained by adding a number to all keys of an attention
                assert not np.array_equal(was, now), path


def test_what_stands_still_has_no_gradient(batch):
    method, batch = finetune_of("merl", encoder_trained=2), labelled(batch)
    variables = jax.jit(method.init)(KEY, batch)

    def loss_of(params):
        draws = method.draw(KEY, batch, jnp.float32(0))
        return method.loss(Variables(params, variables.state), batch, draws, train=True)[0]

    for path, leaf in by_path(jax.jit(jax.grad(loss_of))(variables.params)).items():
        still = path.startswith("encoder/") and blocks_of("merl", path)[0] < 3
        assert np.any(leaf) != still, path


def test_decay_acts_on_kernels_of_encoder_and_head_alone_and_by_their_rate(batch):
    """Without a gradient a kernel shrinks by learning rate, decay and factor; norms, biases and queries stay."""
    method = finetune_of("kmerl", layer_decay=0.5, head_pooling="attention")
    params = jax.tree.map(lambda x: jnp.full(x.shape, 2.0), jax.eval_shape(method.init, KEY, batch).params)
    config = optimizer_config(warmup_fraction=0.0, steps=1000, learning_rate=0.5, weight_decay=0.1)
    optimizer = make_optimizer(config, params, method.declared.rate_factors)
    nothing = jax.tree.map(jnp.zeros_like, params)
    _, state = optimizer.update(nothing, optimizer.init(params), params)
    found = by_path(optimizer.update(nothing, state, params)[0])
    assert {"head/norm/scale", "head/norm/bias", "head/logits/bias", "head/pool/query"} <= found.keys()
    for path, update in found.items():
        if not path.endswith("/kernel"):
            assert not update.any(), path
            continue
        blocks = blocks_of("kmerl", path) if path.startswith("encoder/") else (2,)
        for block, entries in zip(blocks, np.array_split(update, len(blocks)), strict=True):
            np.testing.assert_allclose(entries, -0.5 * 0.1 * 2.0 * 0.5 ** (2 - block), rtol=1e-4, err_msg=path)


def test_from_scratch_the_encoder_learns_at_the_heads_rate_throughout(batch):
    given = {"encoder_lr_multiplier": 0.3, "layer_decay": 0.5, "init": "scratch"}
    assert finetune_of("kmerl", **given).declared.rate_factors == ()
    part = update_sizes(finetune_of("kmerl", **given, encoder_trained=1), batch)[
        "encoder/ecg_encoder/encoder/norm/bias"
    ]
    np.testing.assert_allclose(part, 1, rtol=1e-5)
    still = {"init": "scratch", "encoder_lr_multiplier": 0.0}
    assert finetune_of("kmerl", **still).declared.rate_factors == (("^encoder/", 0.0),)


def test_the_head_alone_is_what_a_multiplier_of_0_said_before():
    old, new = small_finetune(encoder_lr_multiplier=0.0), small_finetune(encoder_trained=0)
    assert old.config.trained == new.config.trained == 0
    assert old.declared == new.declared and new.declared.rate_factors == (("^encoder/", 0.0),)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"encoder_trained": 3}, r"encoder_trained is 3, the encoder has 2 blocks; give the number of its last blocks"),
        ({"layer_decay": 0.0}, r"layer_decay is 0\.0; give a number above 0, at most 1"),
        ({"encoder_trained": -2}, r"encoder_trained is -2; give a whole number from -1 to 1,024"),
    ],
)
def test_impossible_values_are_refused_by_name(fields, sentence):
    with pytest.raises(CgdmerError, match=sentence):
        finetune_of("kmerl", **fields)


@pytest.mark.parametrize("fields", [{"encoder_trained": 1}, {"layer_decay": 0.9}])
def test_an_encoder_whose_blocks_are_not_told_apart_is_refused_by_name(fields):
    with pytest.raises(CgdmerError, match="the encoder is of means, whose blocks are not told apart; leave"):
        small_finetune(**fields)
