"""Fields of the config reach what they name: each test fails for a method that keeps the fixture's value instead."""

from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.methods.conftest import FULL_STOP, OTHER, WHOLE
from tests.methods.switched import changed, run

COPIES = 64  # of the batch, so that shares can be counted


@pytest.fixture(scope="module")
def many(batch):
    return jax.tree.map(lambda x: jnp.tile(x, (COPIES, *[1] * (x.ndim - 1))), batch)


def drawn(batch, name, **changes):
    """That part of a step's draws; the others are not compiled."""
    method = changed(**changes)
    return run(lambda b: getattr(method.draw(jax.random.key(3), b, jnp.float32(1)), name), batch)


def hidden_patches(batch, **changes) -> np.ndarray:
    """[record, lead, patch] of the records that lack nothing: which patches are hidden."""
    slots = drawn(batch, "hidden", **changes)
    n_patches = changed(**changes).n_patches
    whole = np.arange(WHOLE, len(batch.row), len(batch.row) // COPIES)
    hidden = np.zeros((len(whole), 12 * n_patches), bool)
    np.put_along_axis(hidden, np.asarray(slots.index)[whole], np.asarray(slots.live())[whole], axis=1)
    return hidden.reshape(len(whole), 12, n_patches)


def shapes(batch, **changes) -> dict:
    return jax.eval_shape(changed(**changes).init, jax.random.key(0), batch).params


# --- what is drawn ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("masking", "within"), [("lead", 2), ("time", 1)])
def test_masking_hides_whole_leads_or_whole_columns_and_at_most_one_in_part(masking, within, many):
    share = hidden_patches(many, masking=masking).mean(within)
    assert ((share > 0) & (share < 1)).sum(1).max() <= 1


def test_mask_ratio_is_the_share_of_the_tokens_that_is_hidden(batch):
    kept = drawn(batch, "kept", mask_ratio=0.5, align_mask_ratio=0.5)
    assert kept.index.shape[1] == kept.length[WHOLE] == 60


def test_a_block_of_a_mask_is_as_long_as_patch_seconds_say(many):
    """0.4 to 2 s are 8 to 40 patches of 0.05 s; of 0.2 s they would be 2 to 10, and a longest run of 10 is rare."""
    hidden = hidden_patches(many, masking="block", patch_seconds=0.05, mask_ratio=0.2, align_mask_ratio=0.2)
    longest = np.zeros(len(hidden), int)
    run_now = np.zeros(hidden.shape[:2], int)
    for column in np.moveaxis(hidden, 2, 0):
        run_now = np.where(column, run_now + 1, 0)
        longest = np.maximum(longest, run_now.max(1))
    assert hidden.shape[2] == 40 and np.median(longest) > 16


def test_lead_dropout_is_the_share_of_the_records_that_lose_leads(many):
    left = np.asarray(drawn(many, "lead_mask", lead_dropout=0.4))[WHOLE :: len(many.row) // COPIES]
    assert 0.25 < (left.sum(1) < 12).mean() < 0.55


def test_statement_dropout_is_the_share_of_the_statements_that_alignment_does_not_read(many):
    """Reports of two-word statements; one statement always stays."""
    words = many.tokens.at[:, 2:10:3].set(FULL_STOP)
    stopped = many._replace(tokens=words)
    text = [drawn(stopped, "aligned_text", statement_dropout=share) for share in (0.2, 0.8)]
    left = [np.asarray(t.length)[OTHER :: len(many.row) // COPIES].mean() for t in text]
    assert int(many.token_mask[OTHER].sum()) > left[0] > 1.3 * left[1]


def test_disentangling_is_warmed_up_to_its_weight_over_the_share_of_steps_told(batch):
    method = changed(disentangle_warmup=0.4, weight_disentangle=0.08)
    weight = jax.jit(lambda progress: method.draw(jax.random.key(0), batch, progress).disentangle_weight)
    found = [float(weight(jnp.float32(progress))) for progress in (0.0, 0.1, 0.2, 0.4, 1.0)]
    assert found == pytest.approx([0.0, 0.02, 0.04, 0.08, 0.08])


# --- what is made and how it runs -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
def test_queries_have_a_map_of_their_column_when_column_queries_are_wanted(wanted, batch):
    assert ("column" in shapes(batch, column_queries=wanted)["ecg_decoder"]) == wanted


def test_embedding_is_the_width_of_the_aligned_space(batch):
    assert shapes(batch, embed_dim=24)["projector"]["kernel"].shape == (16, 24)


@pytest.mark.parametrize(
    ("changes", "start"),
    [({"temperature": 0.2}, 0.2), ({"alignment": "siglip", "siglip_scale": 5.0, "temperature": 0.2}, 1 / 5)],
)
def test_the_temperature_starts_where_the_field_of_its_alignment_says(changes, start, batch):
    def first(key):
        return changed(**changes).init(key, batch).params["log_inverse_temperature"]

    assert float(jnp.exp(-run(first, jax.random.key(0)))) == pytest.approx(start)


@pytest.mark.parametrize(
    ("changes", "mark", "is_there"),
    [
        ({"unroll": 1}, "unroll=2", False),
        ({"dtype": "bfloat16"}, "bf16", True),
        ({"attention": "xla"}, "_attend", False),
    ],
)
def test_the_encoders_run_as_told(changes, mark, is_there, variables, patches, draws):
    """Read off the traced encoders, of which nothing is compiled."""

    def traced(**changes) -> str:
        network = changed(**changes).network
        parts = partial(network.apply, method="ecg_parts")
        return str(jax.make_jaxpr(parts)({"params": variables.params}, patches, draws.kept))

    assert (mark in traced(**changes)) == is_there
    assert (mark in traced()) != is_there


def primitives(jaxpr) -> Counter:
    """Count of each operation in a traced program and the programs within it."""
    found = Counter(equation.primitive.name for equation in jaxpr.eqns)
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                found += primitives(inner)
    return found


@pytest.mark.parametrize(
    ("remat", "products"),
    [
        ("full", 7),  # queries, keys, values, scores, their mean of the values, its map, the wide layer
        ("dots", 2),  # the products by parameters are kept: scores and the mean of the values alone
    ],
)
def test_a_block_computes_again_in_the_backward_pass_what_its_policy_does_not_keep(
    remat, products, variables, patches, draws
):
    def of_gradient(**changes) -> Counter:
        parts = partial(changed(**changes).network.apply, method="ecg_parts")

        def total(params):
            found = jax.tree.leaves(parts({"params": params}, patches, draws.kept))
            return sum(x.sum() for x in found if jnp.issubdtype(x.dtype, jnp.floating))

        return primitives(jax.make_jaxpr(jax.grad(total))(variables.params).jaxpr)

    plain, again = of_gradient(remat="none"), of_gradient(remat=remat)
    stacks = plain["scan"] // 2  # forward and back
    assert stacks == 3
    assert again["dot_general"] - plain["dot_general"] == products * stacks
    assert again["tanh"] - plain["tanh"] == stacks  # cheap ones are computed again by both


# --- the objective --------------------------------------------------------------------------------------


def test_each_term_counts_with_its_own_weight(variables, patches, batch, plain):
    weights = {"ecg": 2.0, "text": 0.3, "align": 0.7, "disentangle": 0.05}
    method = changed(**{f"weight_{name}": weight for name, weight in weights.items()})
    draws = method.draw(jax.random.key(3), batch, jnp.float32(0.5))  # those of `plain` but for the weight
    total = run(lambda x: method.loss_of_patches(variables, x, batch, draws)[0], patches)
    expected = sum(weight * float(plain.terms[name]) for name, weight in weights.items())
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert all(float(plain.terms[name]) > 1e-3 for name in weights)
