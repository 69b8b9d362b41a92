"""Each of CG-DMER's other switches does what its name says: disentangling, target, cross, encoders, pooling."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.config import load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.losses.independence import DISENTANGLINGS, disentangle
from cgdmer_jax.methods.protocol import Variables
from tests.methods.conftest import CONFIG, NO_REPORT, PATCH, THREE_LEADS, WHOLE, weights_of
from tests.methods.switched import changed, run, terms_of


@pytest.mark.parametrize("kind", DISENTANGLINGS[1:-1])
def test_disentangling_is_the_mean_of_the_named_dependence_over_both_modalities(
    kind, points, variables, patches, batch, draws
):
    found = terms_of(changed(disentangling=kind), ("disentangle",), variables, draws)(patches, batch)["disentangle"]
    ecg, text = points[1]
    everyone = jnp.ones(len(batch.text_id), bool)
    expected = 0.5 * (
        disentangle(*ecg, everyone, kind=kind) + disentangle(*text, everyone.at[NO_REPORT].set(False), kind=kind)
    )
    assert expected > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_patch_z_predicts_the_z_score_of_each_hidden_patch(compiled, variables, patches, batch, draws):
    method = changed(target="patch_z")
    quiet = batch._replace(signal=batch.signal.at[THREE_LEADS].set(batch.signal[THREE_LEADS] // 100))
    quiet_patches = compiled.patches(quiet, draws.lead_mask)[0]
    found = terms_of(method, ("ecg",), variables, draws)(quiet_patches, quiet)["ecg"]
    predicted = np.asarray(compiled.insight(variables.params, quiet_patches, draws).predicted, np.float64)
    in_mv = np.asarray(quiet.signal, np.float64).reshape(8, -1, PATCH) / 1000
    total, n = 0.0, 0
    for record in range(8):
        for slot in range(int(draws.hidden.length[record])):
            patch = in_mv[record, int(draws.hidden.index[record, slot])]
            error = np.abs((patch - patch.mean()) / max(patch.std(), 0.02) - predicted[record, slot])
            total += np.where(error < 1, error**2 / 2, error - 0.5).mean()
            n += 1
    assert float(found) == pytest.approx(total / n, rel=1e-4)
    assert in_mv[THREE_LEADS].std() < 0.02  # so that the floor is at work there


def test_a_method_that_predicts_z_scores_reconstructs_no_millivolts(method, variables, batch, draws):
    other = changed(target="patch_z")
    assert method.declared.reconstructs and not other.declared.reconstructs
    with pytest.raises(CgdmerError, match="patch_z gives no millivolts"):
        other.reconstruct(variables, batch, draws)


# --- cross reconstruction ---------------------------------------------------------------------------


NOTHING_ELSE = {"weight_ecg": 0.0, "weight_text": 0.0, "weight_align": 0.0, "weight_disentangle": 0.0}


@pytest.fixture(scope="module")
def cross(variables, draws):
    names = ("ecg", "text", "align", "disentangle", "cross")
    return terms_of(changed(weight_cross=0.25), names, variables, draws)


def test_cross_reconstruction_adds_its_weighted_term_and_leaves_the_others(
    cross, variables, patches, batch, draws, plain
):
    found = cross(patches, batch)
    for name in ("ecg", "text", "align", "disentangle"):
        np.testing.assert_allclose(found[name], plain.terms[name], rtol=1e-5)
    method = changed(weight_cross=0.25, **NOTHING_ELSE)
    total = run(lambda x, b: method.loss_of_patches(variables, x, b, draws)[0], patches, batch)
    np.testing.assert_allclose(total, 0.25 * found["cross"], rtol=1e-5)


def test_cross_reconstruction_reads_the_report_and_the_specific_tokens(cross, variables, patches, batch, draws):
    """Gradients: into the shared encoder from text alone, into the specific one from the ECG alone."""
    method = changed(weight_cross=1.0, **NOTHING_ELSE)
    loss = jax.grad(lambda p, b: method.loss_of_patches(Variables(p, {}), patches, b, draws)[0])
    gradient = run(loss, variables.params, batch)
    second = gradient["second_encoders"]

    def reached(name):
        return any(np.asarray(leaf).any() for leaf in jax.tree.leaves(second[name]))

    assert reached("shared_encoder") and reached("shared_input_text") and reached("specific_encoder_ecg")
    assert not reached("shared_input_ecg") and not reached("specific_encoder_text")


def test_records_without_a_report_are_in_no_cross_reconstruction(cross, patches, batch, draws):
    plain = cross(patches, batch)["cross"]
    for record, moves in ((NO_REPORT, False), (WHOLE, True)):
        hidden = draws.hidden.index[record, 0]
        assert (cross(patches.at[record, hidden].add(3.0), batch)["cross"] != plain) == moves


# --- second encoders, pooling -----------------------------------------------------------------------


def test_unshared_second_encoders_are_two(batch):
    shapes = jax.eval_shape(changed(shared_second=False).init, jax.random.key(0), batch).params
    names = {name for name in shapes["second_encoders"] if "_encoder" in name}
    assert names == {f"{kind}_encoder_{modality}" for kind in ("shared", "specific") for modality in ("ecg", "text")}


def test_attention_pooling_is_trained_and_is_what_the_features_are(batch, draws, patches):
    """Alignment and disentangling reach every query; `shared` of a record is a weighted mean of its tokens."""
    method = changed(pooling="attention", weight_ecg=0.0, weight_text=0.0)
    variables = weights_of(method, batch)
    loss = jax.grad(lambda p, x: method.loss_of_patches(Variables(p, {}), x, batch, draws)[0])
    gradient = run(loss, variables.params, patches)["second_encoders"]
    pools = {name for name in gradient if "pool" in name}
    assert pools == {"shared_pool", "specific_pool_ecg", "specific_pool_text"}
    assert all(np.asarray(gradient[name]["query"]).any(1).all() for name in pools)

    features = run(method.embed_ecg, variables, batch)
    flat = jax.tree.map_with_path(lambda p, x: 0 * x if "_pool" in jax.tree_util.keystr(p) else x, variables.params)
    plain = run(method.embed_ecg, Variables(flat, {}), batch)
    mean = run(changed().embed_ecg, variables, batch)
    for name in ("shared", "specific", "main", "aligned"):
        assert np.abs(np.asarray(features[name] - mean[name])).max() > 1e-3
        np.testing.assert_allclose(plain[name], mean[name], atol=1e-5)
    np.testing.assert_array_equal(features["encoder"], mean["encoder"])


# --- config -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"align_mask_ratio": 0.8}, "align_mask_ratio is 0.8 and mask_ratio 0.75"),
        ({"align_mask_ratio": -0.1}, "align_mask_ratio"),
        ({"mask_ratio": 1.5, "align_mask_ratio": 1.5}, "method.mask_ratio is 1.5"),
        ({"mask_ratio": 0.0, "align_mask_ratio": 0.0}, "method.mask_ratio is 0.0"),
        ({"near_duplicate": 0.0}, "near_duplicate is 0.0"),
        ({"alignment": "siglib"}, "siglip"),
        ({"same_text": "ignore"}, "ignored"),
        ({"disentangling": "hsic"}, "hsic_"),
        ({"pooling": "attentive"}, "attention"),
        ({"target": "patch"}, "patch_z"),
    ],
)
def test_a_wrong_switch_is_refused_with_what_is_known(changes, says):
    with pytest.raises(CgdmerError, match=says):
        dataclasses.replace(CONFIG, **changes)


def test_the_alignment_hides_what_reconstruction_hides_unless_told_otherwise():
    spec = "configs/cgdmer.py:nano"

    def both(*words):
        method = load_config(spec, list(words)).method
        return method.mask_ratio, method.align_mask_ratio

    assert both() == (0.75, 0.75)
    assert both("--config.method.mask_ratio=0.5") == (0.5, 0.5)
    assert both("--config.method.align_mask_ratio=0.25") == (0.75, 0.25)
    assert both("--config.method.mask_ratio=0.6", "--config.method.align_mask_ratio=0.25") == (0.6, 0.25)
