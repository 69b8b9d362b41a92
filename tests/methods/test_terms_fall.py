"""Each term of C-MELT and of K-MERL falls by itself: a few seconds on records that are easily told apart."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.cmelt.method import NEGATIVES
from cgdmer_jax.methods.kmerl.method import ENTITIES
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Size
from tests.methods import cmelt_small, kmerl_small
from tests.methods.conftest import N_TOKENS, SAMPLES
from tests.methods.kmerl_small import NAMES

KINDS, EACH = 4, 2
WORDS = 3
ONE = Size(16, 1, 2)


def batch_of_sines() -> Batch:
    """Records of four kinds: a frequency, a report and findings each. What replaces a report has other words."""
    draw, kind = np.random.default_rng(0), np.repeat(np.arange(KINDS), EACH)
    n = len(kind)
    angle = 2 * np.pi * (1 + kind[:, None, None]) * np.arange(SAMPLES) / SAMPLES
    signal = draw.uniform(500, 1500, (n, 1, 1)) * np.linspace(0.5, 1.5, 12)[:, None] * np.sin(angle)
    reports = np.zeros((KINDS + 3, 2 + N_TOKENS), np.int32)
    for number, row in enumerate(reports):
        row[: 4 + WORDS] = [number, WORDS + 2, 2, *range(5 + WORDS * number, 5 + WORDS * (number + 1)), 3]
    findings = np.where(np.arange(len(NAMES)) == np.arange(KINDS)[:, None], 1, -1).astype(np.int8)
    tokens = reports[kind, 2:]
    batch = Batch(
        signal=signal.astype(np.int16),
        lead_mask=np.ones((n, 12), bool),
        length=np.full(n, SAMPLES, np.int32),
        row=np.arange(n, dtype=np.int32),
        tokens=tokens,
        token_mask=tokens > 0,
        text_id=kind.astype(np.int32),
        text_columns={NEGATIVES: np.repeat(reports[None, KINDS:], n, axis=0), ENTITIES: findings[kind]},
    ).check()
    return jax.tree.map(jnp.asarray, batch)


METHODS = {
    "cmelt": (
        cmelt_small,
        lambda: cmelt_small.make_cmelt(ecg=ONE, decoder=ONE, halvings=4, mask_ratio=0.5, lead_masking=0.2),
    ),
    "kmerl": (kmerl_small, lambda: kmerl_small.make_kmerl(ecg=ONE, query=ONE, patch_seconds=0.5)),
}


def terms_of_steps(name: str, steps: int) -> dict[str, np.ndarray]:
    """Each term at every step of a training on the same records, with draws of its own in each."""
    (small, make), batch, key = METHODS[name], batch_of_sines(), jax.random.key(0)
    method = make()
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))

    @jax.jit
    def step(params, state, number, batch):
        draws = method.draw(jax.random.fold_in(key, number), batch, jnp.float32(0))

        def loss(params):
            value, aux = method.loss(Variables(params, {}), batch, draws, train=True)
            return value, aux.terms

        gradient, terms = jax.grad(loss, has_aux=True)(params)
        update, state = adam.update(gradient, state)
        return optax.apply_updates(params, update), state, terms

    params, found = small.weights_of(method, batch).params, []
    state = adam.init(params)
    for number in range(steps):
        params, state, terms = step(params, state, number, batch)
        found.append(terms)
    return {term: np.array([float(terms[term]) for terms in found]) for term in found[0]}


@pytest.mark.parametrize(
    ("name", "steps", "terms"),
    [("cmelt", 400, ("ecg", "text", "match", "align")), ("kmerl", 60, ("align", "entities"))],
)
def test_every_term_falls_clearly_below_its_start(name, steps, terms):
    found = terms_of_steps(name, steps)
    share = {term: found[term][-20:].mean() / found[term][:5].mean() for term in terms}
    assert max(share.values()) < 0.8, share
