"""Fine-tuning on a part of the tokens: which are drawn, that no other reaches the loss, and who cannot do it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.batch import blank_batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.models.masking.slots import Slots
from tests.methods import conftest as small
from tests.methods.cmelt_small import make_cmelt
from tests.methods.finetune_small import CLASSES, config_of
from tests.methods.kmerl_small import make_kmerl
from tests.methods.merl_small import make_merl

KEY, STEP = jax.random.key(0), jnp.float32(0)
N, LEADS, PATCHES = 4, 12, small.SAMPLES // small.PATCH
SEEN_LEADS = np.array([[0, 1, 7], [2, 3, 4], [5, 6, 11], [8, 9, 10]])
ENCODERS = {"cgdmer": lambda: small.make_method(small.CONFIG), "kmerl": make_kmerl}


@pytest.fixture(scope="module")
def batch():
    """Every patch has the same values in an order of its own, so that no scale tells which of them were seen."""
    draw = np.random.default_rng(0)
    values = draw.normal(0, 500, small.PATCH).round()
    order = np.argsort(draw.random((N, LEADS, PATCHES, small.PATCH)), axis=-1)
    blank = blank_batch(N, n_leads=LEADS, n_samples=small.SAMPLES, n_tokens=small.N_TOKENS)
    made = blank._replace(
        signal=values[order].reshape(N, LEADS, -1).astype(np.int16),
        lead_mask=np.ones((N, LEADS), bool),
        length=np.full(N, small.SAMPLES, np.int32),
        record_columns={"labels:toy": draw.random((N, len(CLASSES))) < 0.5},
    )
    return jax.tree.map(jnp.asarray, made)


def finetune(encoder, **fields):
    size = {"n_leads": LEADS, "n_samples": small.SAMPLES, "rate": small.RATE, "max_tokens": small.N_TOKENS}
    return Finetune(config_of(**fields), encoder, **size)


def loss_of(method, variables, batch, draws, *, train=True):
    return float(jax.jit(method.loss, static_argnames="train")(variables, batch, draws, train=train)[0])


@pytest.mark.parametrize("pooling", ["main", "attention", "per_lead"])
@pytest.mark.parametrize("name", ENCODERS)
def test_tokens_that_are_not_seen_might_as_well_be_of_absent_leads(name, pooling, batch):
    encoder = ENCODERS[name]()
    whole, part = (finetune(encoder, head_pooling=pooling, token_dropout=share) for share in (0.0, 0.75))
    variables = jax.jit(whole.init)(KEY, batch)
    tokens = (SEEN_LEADS[:, :, None] * PATCHES + np.arange(PATCHES)).reshape(N, -1).astype(np.int32)
    seen = Slots(jnp.asarray(tokens), jnp.full(N, tokens.shape[1], jnp.int32))
    draws = jax.jit(part.draw)(KEY, batch, STEP)._replace(tokens=seen)
    those = (np.arange(LEADS) == SEEN_LEADS[:, :, None]).any(1)
    without = draws._replace(tokens=None, lead_mask=jnp.asarray(those))
    expected = loss_of(whole, variables, batch, without)
    assert loss_of(part, variables, batch, draws) == pytest.approx(expected, rel=1e-5)
    assert abs(loss_of(whole, variables, batch, draws._replace(tokens=None)) - expected) > 1e-3
    # What is scored and validated sees all.
    of_both = [loss_of(method, variables, batch, draws, train=False) for method in (whole, part)]
    assert of_both[0] == of_both[1]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_that_share_of_what_is_present_is_left_out_each_step_other_tokens(share, batch):
    method = finetune(ENCODERS["cgdmer"](), token_dropout=share, lead_dropout=0.5)
    batch = batch._replace(
        length=batch.length.at[1].set(130), lead_mask=batch.lead_mask.at[2, 3:].set(False).at[3].set(False)
    )
    sets = []
    for seed in range(3):
        draws = jax.jit(method.draw)(jax.random.key(seed), batch, STEP)
        valid = np.repeat(np.asarray(draws.lead_mask), PATCHES, axis=1)
        valid &= (np.arange(LEADS * PATCHES) % PATCHES + 1) * small.PATCH <= np.asarray(batch.length)[:, None]
        among = np.asarray(draws.tokens.among(LEADS * PATCHES))
        assert not (among & ~valid).any() and among[3].sum() == 0
        n = valid.sum(1)
        assert (np.abs(among.sum(1) - (1 - share) * n) <= 0.5).all()
        sets.append(among)
    assert (sets[0] != sets[1]).any() and (sets[1] != sets[2]).any()


@pytest.mark.parametrize("make", [make_cmelt, make_merl])
def test_tokens_of_all_leads_together_are_always_seen(make):
    with pytest.raises(CgdmerError, match=r"token_dropout is 0\.5, but the encoder is of means, which has no token"):
        finetune(make(), token_dropout=0.5)
