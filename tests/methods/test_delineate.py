"""Delineation as a method: its loss against NumPy, what it learns, and what it leaves as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.methods.delineate.config import ALL, HEAD_ALONE, DelineateConfig
from cgdmer_jax.methods.delineate.loss import masked_cross_entropy
from cgdmer_jax.methods.delineate.method import ENCODER, HEAD, WAVES, Delineate, turned
from cgdmer_jax.methods.finetune.config import PRETRAINED, SCRATCH
from cgdmer_jax.methods.protocol import Variables
from tests.methods.conftest import N_TOKENS, PATCH, RATE, SAMPLES


def make_delineate(encoder, trained=ALL, from_scratch=False):
    size = {"n_leads": 12, "n_samples": SAMPLES, "rate": RATE, "max_tokens": N_TOKENS}
    config = DelineateConfig(SCRATCH if from_scratch else PRETRAINED, trained, "cgdmer")
    return Delineate(config, encoder, **size)


@pytest.fixture(scope="module")
def marked(batch):
    classes = np.random.default_rng(1).integers(-1, 4, batch.signal.shape).astype(np.int8)
    return batch._replace(record_columns={WAVES: jnp.asarray(classes)})


@pytest.fixture(scope="module")
def started(method, marked):
    return jax.jit(make_delineate(method).init)(jax.random.key(0), marked)


def test_the_loss_is_the_mean_over_annotated_samples_of_present_leads():
    draw = np.random.default_rng(0)
    logits, classes = draw.normal(0, 3, (3, 2, 7, 4)), draw.integers(-1, 4, (3, 2, 7))
    lead_mask = np.array([[True, True], [True, False], [False, False]])
    expected = [
        np.log(np.exp(logits[b, lead, t]).sum()) - logits[b, lead, t, classes[b, lead, t]]
        for b in range(3)
        for lead in range(2)
        for t in range(7)
        if lead_mask[b, lead] and classes[b, lead, t] >= 0
    ]
    given = [jnp.asarray(one) for one in (logits, classes, lead_mask)]
    assert float(masked_cross_entropy(*given)) == pytest.approx(np.mean(expected), rel=1e-5)
    assert float(masked_cross_entropy(given[0], jnp.full((3, 2, 7), -1), given[2])) == 0.0


def test_signal_and_classes_are_rotated_alike_and_padding_stays(marked):
    shift = np.arange(-4, 4, dtype=np.int32) * 13
    batch, classes = turned(marked, marked.record_columns[WAVES], jnp.asarray(shift))
    for record, by in enumerate(shift):
        n = int(marked.length[record])
        for ours, theirs in ((batch.signal, marked.signal), (classes, marked.record_columns[WAVES])):
            np.testing.assert_array_equal(ours[record, :, :n], np.roll(theirs[record, :, :n], -by, axis=-1))
            np.testing.assert_array_equal(ours[record, :, n:], theirs[record, :, n:])


def test_a_sample_is_classed_by_the_tokens_of_its_own_lead(method, marked, started):
    """The head alone, with states in place of an encoder's: another state moves its own patch and what adjoins it."""
    head, params = make_delineate(method).head, started.params[HEAD]
    states = jnp.asarray(np.random.default_rng(2).normal(size=(1, 3, SAMPLES // PATCH, 32)), jnp.float32)
    params = jax.tree.map(lambda x: x + 0.1, params)
    plain = head.apply({"params": params}, states)
    other = head.apply({"params": params}, states.at[0, 1, 4].multiply(-1.0))
    assert plain.shape == (1, 3, SAMPLES, 4)
    moved = np.flatnonzero(np.abs(other - plain)[0, 1].max(-1) > 1e-6)
    reach = head.taps // 2
    assert (moved.min(), moved.max()) == (4 * PATCH - reach, 5 * PATCH - 1 + reach)
    np.testing.assert_array_equal(np.delete(other[0], 1, 0), np.delete(plain[0], 1, 0))


@pytest.mark.parametrize(
    ("trained", "from_scratch", "rules"),
    [(HEAD_ALONE, False, ((f"^{ENCODER}/", 0.0),)), (ALL, False, ((f"^{ENCODER}/", 0.3),)), (ALL, True, ())],
)
def test_an_encoder_that_stays_has_no_gradient_and_one_that_learns_has_no_idle_part(
    trained, from_scratch, rules, method, marked, started
):
    delineate = make_delineate(method, trained, from_scratch)
    assert delineate.declared.rate_factors == rules and delineate.declared.record_columns == (WAVES,)
    draws = delineate.draw(jax.random.key(1), marked, jnp.float32(0))

    @jax.jit
    def graded(params):
        return jax.grad(lambda p: delineate.loss(Variables(p, started.state), marked, draws, train=True)[0])(params)

    gradients = graded(started.params)
    for part, moves in ((ENCODER, trained == ALL), (HEAD, True)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients[part]):
            # Nothing is gained by adding a number to all keys of an attention.
            if not moves or "'key'" not in jax.tree_util.keystr(path):
                assert np.any(leaf) == moves, jax.tree_util.keystr(path)


def test_what_stands_in_absent_leads_and_where_nothing_is_annotated_changes_no_loss(method, marked, started):
    delineate = make_delineate(method)
    draws = delineate.draw(jax.random.key(0), marked, jnp.float32(0))
    loss = jax.jit(lambda b: delineate.loss(started, b, draws, train=False)[0])
    classes = marked.record_columns[WAVES]
    other = jnp.where(marked.lead_mask[:, :, None], classes, (classes + 1) % 4)
    assert loss(marked) == loss(marked._replace(record_columns={WAVES: other}))
    assert loss(marked) != loss(marked._replace(record_columns={WAVES: jnp.where(classes == 2, -1, classes)}))
