"""Information that both parts hold beyond the shared one is found where it was put, and nowhere else."""

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from cgdmer_jax.metrics.bootstrap import patient_weights
from cgdmer_jax.metrics.diagnostics import fit_regression
from cgdmer_jax.metrics.part_probes import Roles, compare, probe_classes, probe_value
from cgdmer_jax.metrics.probe import fit_probe

N = 900
ROLES = Roles(*np.split(np.arange(N), [500, 700]), patient_weights(np.arange(200) // 2, 200, seed=0))


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    shared, specific = rng.normal(size=(2, N, 6))
    return {"shared": shared, "specific": specific, "both": np.concatenate([shared, specific], axis=1)}


@pytest.fixture
def noise():
    return np.random.default_rng(1).normal(size=(2, N))


def test_a_number_that_only_the_specific_part_holds_has_a_difference_above_zero(features, noise):
    y = 50 + 10 * features["specific"][:, 0] + 3 * noise[0]
    row = compare(features, "age", y, ROLES)
    assert row["metric"] == "r2" and row["n"] == 200 and row["n_classes"] is None
    assert row["shared"] < 0.05 and row["specific"] > 0.85 and row["both"] > 0.85
    assert row["low"] > 0.7 and row["difference"] == row["both"] - row["shared"]
    assert 1.8 < row["both_mean_absolute_error"] < 3.2 < 6 < row["shared_mean_absolute_error"]


def test_classes_that_the_shared_part_holds_leave_nothing_to_the_specific_part(features, noise):
    labels = np.stack([features["shared"][:, 0] + noise[0], features["shared"][:, 1] + noise[1]], axis=1) > 0.5
    row = compare(features, "super", labels, ROLES)
    assert row["metric"] == "auroc" and row["n_classes"] == 2
    assert row["shared"] > 0.75 and row["specific"] < 0.62
    assert row["low"] < 0 < row["high"] and row["high"] - row["low"] < 0.03  # paired: far narrower than the figures
    assert row["shared_low"] < row["shared"] < row["shared_high"]


def test_a_figure_and_its_samples_equal_scikit_learn_on_the_repeated_records(features, noise):
    x, y = features["shared"], features["shared"][:, 0] + noise[0]
    found = probe_value(x, y, ROLES)
    fitted = fit_regression(x[:500], y[:500, None], x[500:700], y[500:700, None]).predict(x[700:])[:, 0]
    assert found.value == pytest.approx(r2_score(y[700:], fitted))
    weights = ROLES.weights[7]
    assert found.samples[7] == pytest.approx(r2_score(y[700:], fitted, sample_weight=weights))

    labels = np.stack([y > 0.5, y > 1, y > 1e9], axis=1)  # the last class has no positive and is in no figure
    assert compare(features, "super", labels, ROLES)["n_classes"] == 2
    found = probe_classes(x, labels, ROLES)
    scores = fit_probe(x[:500], labels[:500], x[500:700], labels[500:700]).scores(x[700:])
    assert found.value == pytest.approx(roc_auc_score(labels[700:, :2], scores[:, :2]))
    repeated = [roc_auc_score(labels[700:, k], scores[:, k], sample_weight=weights) for k in range(2)]
    assert found.samples[7] == pytest.approx(np.mean(repeated))


def test_only_records_of_their_role_are_used(features):
    y = features["specific"][:, 0].copy()
    roles = Roles(ROLES.fit[:100], ROLES.choose, ROLES.score, ROLES.weights)
    before = probe_value(features["specific"], y, roles)
    y[100:500] = 1e6  # of no role
    after = probe_value(features["specific"], y, roles)
    assert after.value == before.value
