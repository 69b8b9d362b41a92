"""Fields of the config reach what they name: each test fails for a method that keeps the fixture's value instead."""

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


def drawn(batch, progress=1.0, **changes):
    return run(changed(**changes).draw, jax.random.key(3), batch, jnp.float32(progress))


def hidden_patches(batch, **changes) -> np.ndarray:
    """[record, lead, patch] of the records that lack nothing: which patches are hidden."""
    slots = drawn(batch, **changes).hidden
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


def test_hide_ratio_is_the_share_of_the_tokens_that_is_hidden(batch):
    draws = drawn(batch, hide_ratio=0.5, align_hide_ratio=0.5)
    assert draws.kept.index.shape[1] == draws.hidden.index.shape[1] == 60
    assert draws.kept.length[WHOLE] == draws.hidden.length[WHOLE] == 60


def test_a_block_of_a_mask_is_as_long_as_patch_seconds_say(many):
    """0.4 to 2 s are 8 to 40 patches of 0.05 s; of 0.2 s they would be 2 to 10, and a longest run of 10 is rare."""
    hidden = hidden_patches(many, masking="block", patch_seconds=0.05, hide_ratio=0.2, align_hide_ratio=0.2)
    longest = np.zeros(len(hidden), int)
    run_now = np.zeros(hidden.shape[:2], int)
    for column in np.moveaxis(hidden, 2, 0):
        run_now = np.where(column, run_now + 1, 0)
        longest = np.maximum(longest, run_now.max(1))
    assert hidden.shape[2] == 40 and np.median(longest) > 16


def test_lead_dropout_is_the_share_of_the_records_that_lose_leads(many):
    left = np.asarray(drawn(many, lead_dropout=0.4).lead_mask)[WHOLE :: len(many.row) // COPIES]
    assert 0.25 < (left.sum(1) < 12).mean() < 0.55


def test_statement_dropout_is_the_share_of_the_statements_that_alignment_does_not_read(many):
    """Reports of two-word statements; one statement always stays."""
    words = many.tokens.at[:, 2:10:3].set(FULL_STOP)
    left = [
        np.asarray(drawn(many._replace(tokens=words), statement_dropout=share).aligned_text.length)[OTHER::8].mean()
        for share in (0.2, 0.8)
    ]
    assert int(many.token_mask[OTHER].sum()) > left[0] > 1.3 * left[1]


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 0.0), (0.1, 0.02), (0.2, 0.04), (0.4, 0.08), (1.0, 0.08)])
def test_disentangling_is_warmed_up_to_its_weight_over_the_share_of_steps_told(progress, weight, batch):
    found = drawn(batch, progress, disentangle_warmup=0.4, weight_disentangle=0.08).disentangle_weight
    assert float(found) == pytest.approx(weight)


# --- what is made and how it runs -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
def test_queries_have_a_map_of_their_column_when_column_queries_are_wanted(wanted, batch):
    assert ("column" in shapes(batch, column_queries=wanted)["ecg_decoder"]) == wanted


def test_embedding_is_the_width_of_the_aligned_space(batch):
    assert shapes(batch, embedding=24)["projector"]["kernel"].shape == (16, 24)


@pytest.mark.parametrize(
    ("changes", "start"),
    [({"temperature": 0.2}, 0.2), ({"alignment": "siglip", "siglip_scale": 5.0, "temperature": 0.2}, 1 / 5)],
)
def test_the_temperature_starts_where_the_field_of_its_alignment_says(changes, start, batch):
    def first(key):
        return changed(**changes).init(key, batch).params["log_inverse_temperature"]

    assert float(jnp.exp(-run(first, jax.random.key(0)))) == pytest.approx(start)


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"remat": "full"}, "policy=nothing_saveable"),
        ({"remat": "dots"}, "policy=dots_with_no_batch_dims_saveable"),
        ({"unroll": 1}, "unroll=1\n"),
        ({"dtype": "bfloat16"}, "bf16"),
        ({"attention": "xla"}, "dot_product_attention"),
    ],
)
def test_the_encoders_run_as_told(changes, mark, variables, patches, draws):
    def traced(**changes) -> str:
        def parts(params, patches, kept):
            return changed(**changes).network.apply({"params": params}, patches, kept, method="ecg_parts")

        return str(jax.make_jaxpr(parts)(variables.params, patches, draws.kept))

    assert mark in traced(**changes) and mark not in traced()


# --- the objective --------------------------------------------------------------------------------------


def test_each_term_counts_with_its_own_weight(variables, patches, batch, plain):
    weights = {"ecg": 2.0, "text": 0.3, "align": 0.7, "disentangle": 0.05}
    method = changed(**{f"weight_{name}": weight for name, weight in weights.items()})
    draws = method.draw(jax.random.key(3), batch, jnp.float32(0.5))  # those of `plain` but for the weight
    total = run(lambda x: method.loss_of_patches(variables, x, batch, draws)[0], patches)
    expected = sum(weight * float(plain.terms[name]) for name, weight in weights.items())
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert all(float(plain.terms[name]) > 1e-3 for name in weights)
