"""Terms and passes that are switched off are not computed: by name, and costs by hand from shapes alone."""

import jax
import pytest

from cgdmer_jax.methods.cgdmer.flops import flops_by_part
from tests.methods.switched import changed, run

DEFAULT_TERMS = {"ecg", "text", "align", "disentangle", "temperature"}


def term_names(method, batch, draws) -> set[str]:
    """From shapes alone."""
    variables = jax.eval_shape(method.init, jax.random.key(0), batch)

    def terms(variables, batch, draws):
        return method.loss(variables, batch, draws, train=True)[1].terms

    return set(jax.eval_shape(terms, variables, batch, draws))


@pytest.mark.parametrize(
    ("changes", "gone", "new"),
    [
        ({"weight_ecg": 0.0}, {"ecg"}, set()),
        ({"weight_text": 0.0}, {"text"}, set()),
        ({"weight_align": 0.0}, {"align", "temperature"}, set()),
        ({"weight_disentangle": 0.0}, {"disentangle"}, set()),
        ({"disentangling": "none"}, {"disentangle"}, set()),
        ({"weight_cross": 0.25}, set(), {"cross"}),
        ({"alignment": "siglip"}, set(), {"alignment_bias"}),
    ],
)
def test_a_term_is_there_when_it_has_a_weight(changes, gone, new, batch, draws):
    assert term_names(changed(**changes), batch, draws) == DEFAULT_TERMS - gone | new


@pytest.fixture(scope="module")
def plain_cost(method, batch) -> dict[str, int]:
    return flops_by_part(method, batch)


CONTRAST = {"weight_ecg": 0.0, "weight_text": 0.0, "weight_disentangle": 0.0}
MASKED = {"weight_align": 0.0, "weight_disentangle": 0.0}


@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        ({}, {}),
        (CONTRAST, {"ecg decoder": 0, "language head": 0, "text encoder": 0.5, "text specific and shared": 0.5}),
        (MASKED, {"text encoder": 0.5, "text specific and shared": 0.5}),
        (
            MASKED | {"weight_text": 0.0},
            dict.fromkeys(("text encoder", "text specific and shared", "language head"), 0),
        ),
        (CONTRAST | MASKED | {"weight_text": 0.5}, dict.fromkeys(("ecg encoder", "ecg decoder"), 0)),
    ],
)
def test_passes_that_no_term_reads_are_not_made(changes, shares, plain_cost, batch):
    """`losses` is what the whole step computes beyond the parts: next to nothing."""
    found = flops_by_part(changed(**changes), batch)
    for name, share in shares.items():
        assert found[name] == share * plain_cost[name], name
    assert 0 <= found["losses"] <= plain_cost["losses"]


def test_everything_at_weight_zero_is_a_loss_of_zero(batch, draws, patches, variables):
    method = changed(**CONTRAST | MASKED)
    loss, aux = run(method.loss_of_patches, variables, patches, batch, draws)
    assert loss == 0 and aux.terms == {}


def test_a_lighter_mask_costs_a_pass_over_its_tokens_and_an_equal_one_nothing(plain_cost, batch):
    """30 kept, and 90 of 120 in the second pass; attention among n tokens costs 4 n^2 width, a block."""
    found = flops_by_part(changed(align_mask_ratio=0.25), batch)
    linear = plain_cost["ecg encoder"] - 2 * 4 * 30**2 * 16
    assert found["ecg encoder"] == plain_cost["ecg encoder"] + 3 * linear + 2 * 4 * 90**2 * 16
    assert found["ecg decoder"] == plain_cost["ecg decoder"]
    without = flops_by_part(changed(align_mask_ratio=0.25, weight_align=0.0, weight_disentangle=0.0), batch)
    assert without["ecg encoder"] == plain_cost["ecg encoder"]
