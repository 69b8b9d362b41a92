"""One tiny CG-DMER and one batch of awkward records; each compiled function is shared by all tests."""

import dataclasses
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.methods.cgdmer.method import CgDmer, CgDmerConfig, CgDmerDraws
from cgdmer_jax.methods.cgdmer.network import ModalityTokens
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Size

RATE, SAMPLES, PATCH = 100.0, 200, 20  # 2 s, 10 patches a lead
VOCABULARY, N_TOKENS = 30, 12
FULL_STOP = 9

# The records of the batch, by what is awkward about them.
WHOLE, TWIN, THREE_LEADS, SHORT, ONE_LEAD, SHORT_AND_FEW, NO_REPORT, OTHER = range(8)
TEXT_ID = np.array([4, 4, 1, 2, 3, 5, NO_TEXT, 6], np.int32)
N_WORDS = [6, 6, 3, 10, 1, 4, 0, 8]
LENGTH = np.array([200, 200, 200, 130, 200, 75, 200, 200], np.int32)  # 130: 6 patches and a half
LEADS_PRESENT = [range(12), range(12), (0, 1, 7), range(12), (8,), (1, 4, 6, 10), range(12), range(2, 12)]

CONFIG = CgDmerConfig(
    ecg=Size(16, 2, 2),
    text=Size(16, 1, 2),
    text_tower="",
    text_architecture={},
    text_trained=-1,
    text_lr_multiplier=0.1,
    second=Size(16, 1, 2),
    decoder=Size(16, 1, 2),
    patch_seconds=PATCH / RATE,
    stem="linear",
    scaling="record_std",
    scale_feature=False,
    mask_ratio=0.75,
    masking="spatiotemporal",
    decode_ratio=1.0,
    column_queries=True,
    target="signal",
    lead_dropout=0.0,
    mlm_ratio=0.25,
    statement_dropout=0.0,
    shared_second=True,
    pooling="mean",
    embed_dim=16,
    alignment="info_nce",
    temperature=0.07,
    siglip_scale=10.0,
    same_text="ignored",
    near_duplicate=1.0,
    align_mask_ratio=0.75,
    disentangling="hsic_linear",
    weight_ecg=1.0,
    weight_cross=0.0,
    weight_text=0.5,
    weight_align=1.0,
    weight_disentangle=0.1,
    disentangle_warmup=0.1,
    dtype="float32",
    remat="none",
    unroll=2,
    attention="auto",
    microbatches=1,
)


def make_method(config: CgDmerConfig) -> CgDmer:
    return CgDmer(
        config,
        n_leads=12,
        n_samples=SAMPLES,
        rate=RATE,
        vocabulary=VOCABULARY,
        max_tokens=N_TOKENS,
        full_stop=FULL_STOP,
    )


@pytest.fixture(scope="session")
def method() -> CgDmer:
    return make_method(CONFIG)


@pytest.fixture(scope="session")
def batch() -> Batch:
    draw = np.random.default_rng(0)
    n = len(TEXT_ID)
    lead_mask = np.zeros((n, 12), bool)
    for record, leads in enumerate(LEADS_PRESENT):
        lead_mask[record, list(leads)] = True
    live = lead_mask[:, :, None] & (np.arange(SAMPLES) < LENGTH[:, None, None])
    signal = np.where(live, draw.normal(0, 500, (n, 12, SAMPLES)), 0).astype(np.int16)
    tokens = np.zeros((n, N_TOKENS), np.int32)
    for record, words in enumerate(N_WORDS):
        if words:
            tokens[record, : words + 2] = [2, *draw.integers(5, VOCABULARY, words), 3]
    tokens[TWIN] = tokens[WHOLE]
    arrays = (signal, lead_mask, LENGTH, np.arange(n, dtype=np.int32), tokens, tokens > 0, TEXT_ID)
    batch = Batch(*arrays, text_columns={}).check()
    return jax.tree.map(jnp.asarray, batch)


def _weight(path, leaf, draw) -> jax.Array:
    name = jax.tree_util.keystr(path)
    if "temperature" in name:
        return jnp.float32(np.log(1 / CONFIG.temperature))
    spread = leaf.shape[-2] ** -0.5 if name.endswith("['kernel']") else 0.1
    return jnp.asarray(name.endswith("['scale']") + spread * draw.normal(size=leaf.shape), jnp.float32)


def weights_of(method: CgDmer, batch: Batch) -> Variables:
    """Weights as after some training: no bias is zero, no norm's scale is one."""
    shapes = jax.eval_shape(method.init, jax.random.key(0), batch).params
    draw = np.random.default_rng(1)
    return Variables(jax.tree.map_with_path(lambda path, leaf: _weight(path, leaf, draw), shapes), {})


@pytest.fixture(scope="session")
def variables(method, batch) -> Variables:
    return weights_of(method, batch)


@pytest.fixture(scope="session")
def draws(compiled, batch) -> CgDmerDraws:
    return compiled.draw(jax.random.key(3), batch, jnp.float32(0.5))


@pytest.fixture(scope="session")
def dropped(batch) -> CgDmerDraws:
    """Draws in which every record but that of one lead has lost some leads."""
    dropping = make_method(dataclasses.replace(CONFIG, lead_dropout=1.0))
    return jax.jit(dropping.draw)(jax.random.key(5), batch, jnp.float32(0.5))


class Gradients(NamedTuple):
    params: dict
    patches: jax.Array


class Outcome(NamedTuple):
    """Everything that one training step computes."""

    loss: jax.Array
    terms: dict[str, jax.Array]
    gradients: Gradients


class Insight(NamedTuple):
    """Output of the encoder, and the decoder's prediction for each hidden patch."""

    parts: ModalityTokens
    predicted: jax.Array
    squared_error: jax.Array  # [record, slot]


@pytest.fixture(scope="session")
def compiled(method) -> SimpleNamespace:
    """The method's functions, jitted."""

    def outcome(params, patches, batch, draws):
        def loss(params, patches):
            return method.loss_of_patches(Variables(params, {}), patches, batch, draws)

        (value, aux), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, patches)
        return Outcome(value, aux.terms, Gradients(*gradients))

    def insight(params, patches, draws):
        def run(*args, name):
            return method.network.apply({"params": params}, *args, method=name)

        parts = run(patches, draws.kept, name="ecg_parts")
        predicted = run(parts, draws.kept, draws.hidden, name="decode_ecg")
        target = jnp.take_along_axis(patches, draws.hidden.index[:, :, None], axis=1)
        return Insight(parts, predicted, ((predicted - target) ** 2).sum(-1))

    def loss_of_batch(params, batch, draws):
        value, aux = method.loss(Variables(params, {}), batch, draws, train=True)
        return value, aux.terms

    functions = {
        "outcome": outcome,
        "insight": insight,
        "loss_of_batch": loss_of_batch,
        "draw": method.draw,
        "patches": method.patches,
        "embed_ecg": method.embed_ecg,
        "embed_patches": method.embed_patches,
        "embed_text": method.embed_text,
        "reconstruct": method.reconstruct,
    }
    return SimpleNamespace(**{name: jax.jit(function) for name, function in functions.items()})


@pytest.fixture(scope="session")
def patches(compiled, batch, draws) -> jax.Array:
    return compiled.patches(batch, draws.lead_mask)[0]


@pytest.fixture(scope="session")
def plain(compiled, variables, patches, batch, draws) -> Outcome:
    """The step nothing was done to."""
    return compiled.outcome(variables.params, patches, batch, draws)


@pytest.fixture(scope="session")
def points(method, variables, patches, batch, draws):
    """Both modalities' vectors in the aligned space, and the pooled features before."""

    def both(patches, batch):
        apply = partial(method.network.apply, {"params": variables.params})
        ecg = apply(patches, draws.kept, method="ecg_parts")
        text = apply(batch.tokens, batch.token_mask.sum(1), method="text_parts")
        pooled = (
            apply("ecg", ecg, draws.kept.live(), method="pooled"),
            apply("text", text, batch.token_mask, method="pooled"),
        )
        return tuple(apply(p.shared, method="align") for p in pooled), pooled

    return jax.jit(both)(patches, batch)


def assert_same_bits(one, other) -> None:
    for (path, a), b in zip(jax.tree.leaves_with_path(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=jax.tree_util.keystr(path))
