"""CG-DMER as a whole: its objective, its gradients, what is shared, and how it embeds."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.network import ModalityTokens
from cgdmer_jax.methods.protocol import Variables
from tests.methods.conftest import CONFIG, LEADS_PRESENT, NO_REPORT, ONE_LEAD, assert_same_bits, make_method


def test_the_objective_is_the_weighted_sum_of_its_terms(plain):
    terms = {name: float(value) for name, value in plain.terms.items()}
    expected = terms["ecg"] + 0.5 * terms["text"] + terms["align"] + 0.1 * terms["disentangle"]
    assert float(plain.loss) == pytest.approx(expected, rel=1e-6)
    assert all(terms[name] > 0 for name in ("ecg", "text", "align", "disentangle"))


def test_the_loss_of_a_batch_is_the_loss_of_its_patches(compiled, variables, batch, draws, plain):
    loss, terms = compiled.loss_of_batch(variables.params, batch, draws)
    np.testing.assert_allclose(loss, plain.loss, rtol=1e-6)
    for name, value in terms.items():
        np.testing.assert_allclose(value, plain.terms[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 0.0), (0.05, 0.05), (0.1, 0.1), (1.0, 0.1)])
def test_disentangling_is_warmed_up_over_a_tenth_of_the_steps(progress, weight, compiled, batch):
    drawn = compiled.draw(jax.random.key(0), batch, jnp.float32(progress))
    assert float(drawn.disentangle_weight) == pytest.approx(weight)


def test_draws_depend_on_the_key_alone(compiled, batch):
    one, again, other = (compiled.draw(jax.random.key(k), batch, jnp.float32(0)) for k in (0, 0, 1))
    assert_same_bits(one, again)
    assert (np.asarray(one.kept.index) != np.asarray(other.kept.index)).any()


def test_lead_dropout_is_drawn_before_masking(batch, dropped):
    """No token of a dropped lead is kept or hidden, and the counts are those of the leads left."""
    left = np.asarray(dropped.lead_mask)
    n_present = [len(leads) for leads in LEADS_PRESENT]
    assert all(left[i].sum() < n or i == ONE_LEAD for i, n in enumerate(n_present))
    for slots in (dropped.kept, dropped.hidden):
        for record, (index, n) in enumerate(zip(slots.index, slots.length, strict=True)):
            assert left[record, np.asarray(index)[: int(n)] // 10].all()
    n_valid = left.sum(1) * (np.asarray(batch.length) // 20)
    np.testing.assert_array_equal(dropped.kept.length, np.clip(np.round(n_valid * 0.25), 1, 30))
    np.testing.assert_array_equal(dropped.kept.length + dropped.hidden.length, n_valid)


def test_only_a_random_part_of_the_hidden_patches_is_predicted_by_decode_ratio(variables, patches, batch, draws):
    method = make_method(dataclasses.replace(CONFIG, decode_ratio=0.2))  # 18 of 90 slots
    loss = jax.jit(lambda x: method.loss_of_patches(variables, x, batch, draws)[1].terms["ecg"])
    inside, outside = draws.hidden.index[0, 17], draws.hidden.index[0, 18]
    assert loss(patches.at[0, outside].add(5.0)) == loss(patches)
    assert loss(patches.at[0, inside].add(5.0)) != loss(patches)


def test_unknown_masking_names_the_nearest_known_one():
    with pytest.raises(CgdmerError, match="random"):
        make_method(dataclasses.replace(CONFIG, masking="randon"))


# --- gradients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    "ecg_encoder text_encoder second_encoders ecg_decoder language_head projector log_inverse_temperature all".split(),
)
def test_gradient_equals_finite_differences_along_itself(part, compiled, variables, patches, batch, draws, plain):
    """(L(p + e d) - L(p - e d)) / 2 e = |g| for d = g / |g|, part by part of the parameters."""
    gradient = plain.gradients.params
    assert set(gradient) == set(
        "ecg_encoder text_encoder second_encoders ecg_decoder language_head projector log_inverse_temperature".split()
    )
    chosen = {
        name: jax.tree.map(lambda g, name=name: g * (part in (name, "all")), tree) for name, tree in gradient.items()
    }
    norm = float(jnp.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(chosen))))

    def loss(step):
        moved = jax.tree.map(lambda p, g: p + step / norm * g, variables.params, chosen)
        return float(compiled.outcome(moved, patches, batch, draws).loss)

    # Richardson's extrapolation: two central differences, error of fourth order; shorter where the loss is steep.
    reach = 0.04 / max(1.0, norm / 10)
    far, near = ((loss(e) - loss(-e)) / (2 * e) for e in (reach, reach / 2))
    assert (4 * near - far) / 3 == pytest.approx(norm, rel=5e-3, abs=1e-4)


def test_gradient_with_respect_to_the_patches_equals_finite_differences(
    compiled, variables, patches, batch, draws, plain
):
    gradient = plain.gradients.patches
    norm = float(jnp.sqrt((gradient**2).sum()))
    far, near = (
        float(
            compiled.outcome(variables.params, patches + e / norm * gradient, batch, draws).loss
            - compiled.outcome(variables.params, patches - e / norm * gradient, batch, draws).loss
        )
        / (2 * e)
        for e in (0.2, 0.1)
    )
    assert (4 * near - far) / 3 == pytest.approx(norm, rel=1e-2, abs=1e-4)


# --- shared and specific -----------------------------------------------------------------------------


def test_there_is_one_shared_encoder_and_one_specific_encoder_a_modality(variables):
    names = {name for name in variables.params["second_encoders"] if "_encoder" in name}
    assert names == {"shared_encoder", "specific_encoder_ecg", "specific_encoder_text"}


@pytest.mark.parametrize("kind", ["shared", "specific"])
def test_each_decoder_reads_shared_and_specific_tokens(kind, method, variables, draws):
    """Any tokens do; moving either part moves nearly every number that is decoded."""

    def decode(ecg, text):
        def run(*args, name):
            return method.network.apply({"params": variables.params}, *args, method=name)

        return run(ecg, draws.kept, draws.hidden, name="decode_ecg"), run(text, draws.masked.slots, name="decode_text")

    draw = np.random.default_rng(0)
    ecg, text = (ModalityTokens(*jnp.asarray(draw.normal(size=(3, 8, n, 16)), jnp.float32)) for n in (30, 12))
    moved = (parts._replace(**{kind: getattr(parts, kind) + 0.5}) for parts in (ecg, text))
    decode = jax.jit(decode)
    for one, other in zip(decode(ecg, text), decode(*moved), strict=True):
        assert (np.abs(np.asarray(one - other)) > 1e-4).mean() > 0.5


# --- embedding ---------------------------------------------------------------------------------------


def test_embedding_is_deterministic(compiled, variables, batch):
    assert_same_bits(compiled.embed_ecg(variables, batch), compiled.embed_ecg(variables, batch))


def test_embedding_is_independent_of_batch_mates_and_of_the_place_in_the_batch(compiled, variables, batch):
    plain = compiled.embed_ecg(variables, batch)
    order = np.array([3, 7, 0, 5, 1, 6, 2, 4])
    moved = compiled.embed_ecg(variables, jax.tree.map(lambda a: a[order], batch))
    twice = compiled.embed_ecg(variables, jax.tree.map(lambda a: a[np.array([2] * 8)], batch))
    for name, feature in plain.items():
        np.testing.assert_array_equal(moved[name], feature[order], err_msg=name)
        np.testing.assert_array_equal(twice[name], np.repeat(feature[2:3], 8, axis=0), err_msg=name)


def test_embedding_of_an_ecg_knows_nothing_of_its_report(compiled, variables, batch):
    other = batch._replace(tokens=batch.tokens[::-1], token_mask=batch.token_mask[::-1], text_id=batch.text_id[::-1])
    assert_same_bits(compiled.embed_ecg(variables, other), compiled.embed_ecg(variables, batch))


def test_features_have_their_names_and_widths_and_main_is_shared_beside_specific(compiled, variables, batch):
    features = compiled.embed_ecg(variables, batch)
    widths = {"main": 32, "encoder": 16, "shared": 16, "specific": 16, "per_lead": 12 * 16, "aligned": 16}
    widths |= {"moments": 64, "per_lead_moments": 12 * 64}
    assert {name: feature.shape for name, feature in features.items()} == {n: (8, w) for n, w in widths.items()}
    np.testing.assert_array_equal(features["main"], np.concatenate([features["shared"], features["specific"]], axis=1))
    np.testing.assert_allclose(np.linalg.norm(features["aligned"], axis=1), 1, atol=1e-5)


def test_per_lead_features_of_absent_leads_are_zero_and_their_mean_over_leads_is_that_of_the_tokens(
    compiled, variables, batch
):
    features = compiled.embed_ecg(variables, batch)
    per_lead = np.asarray(features["per_lead"]).reshape(8, 12, 16)
    for record, leads in enumerate(LEADS_PRESENT):
        assert (per_lead[record].any(1) == np.isin(np.arange(12), list(leads))).all()
        mean = per_lead[record, list(leads)].mean(0)  # every lead has as many patches
        np.testing.assert_allclose(mean, features["shared"][record] + features["specific"][record], atol=1e-5)


def test_a_changed_sample_of_a_present_lead_changes_the_embedding(compiled, variables, batch):
    moved = batch._replace(signal=batch.signal.at[NO_REPORT, 4, 100].add(2000))
    changed = np.asarray(compiled.embed_ecg(variables, moved)["main"] != compiled.embed_ecg(variables, batch)["main"])
    assert changed[NO_REPORT].any() and not np.delete(changed, NO_REPORT, axis=0).any()


def test_state_is_handed_through(method, variables, batch, draws):
    _, aux = jax.eval_shape(lambda p: method.loss(Variables(p, {}), batch, draws, train=True), variables.params)
    assert aux.state == {}
