"""MERL's probe against PyTorch's own Adam, schedule and loss, and against what can be worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import sgd_probe

EPOCHS = 5


@pytest.fixture(scope="module")
def case():
    """150 records in ten batches, the last of six: five epochs pass the fall of the rate."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 12)) * rng.uniform(0.1, 3, 12) + 1
    y = x @ rng.normal(size=(12, 4)) + rng.normal(size=(150, 4)) > np.array([0.0, 2.0, 4.0, 500.0])
    return x, y


def test_every_epoch_equals_torch_adam_with_its_scheduler_and_loss(case):
    torch = pytest.importorskip("torch")
    x, y = case
    path = sgd_probe.fit_sgd(x, y, seed=7, epochs=EPOCHS)
    rng = np.random.default_rng(7)
    theta = torch.from_numpy(sgd_probe.first_theta(rng, 12, 4))
    layer = torch.nn.Linear(12, 4)
    layer.weight.data, layer.bias.data = theta[:-1].T.clone(), theta[-1].clone()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.001, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[40], gamma=0.1)
    inputs, target = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.float32))
    for epoch in range(EPOCHS):
        for batch in torch.from_numpy(rng.permutation(150)).split(16):
            optimizer.zero_grad()
            torch.nn.BCEWithLogitsLoss()(layer(inputs[batch]), target[batch]).backward()
            optimizer.step()
            scheduler.step()
        np.testing.assert_allclose(path.weights[epoch], layer.weight.detach().numpy().T, atol=2e-6)
        np.testing.assert_allclose(path.bias[epoch], layer.bias.detach().numpy(), atol=2e-6)
        scheduler.step()
    np.testing.assert_allclose(path.scores(x)[-1], layer(inputs).detach().numpy(), atol=2e-5)


def test_the_first_step_moves_each_weight_by_the_rate_against_its_gradient(case):
    x, y = case[0][:16], case[1][:16]
    moved = sgd_probe.fit_sgd(x, y, seed=3, epochs=1)
    start = sgd_probe.first_theta(np.random.default_rng(3), 12, 4).astype(float)
    error = 1 / (1 + np.exp(-(x @ start[:-1] + start[-1]))) - y
    gradient = x.T @ error / error.size + 1e-4 * start[:-1]
    np.testing.assert_allclose(moved.weights[0] - start[:-1], -0.001 * np.sign(gradient), atol=2e-6)


def test_the_rate_falls_after_forty_batches_not_forty_epochs():
    assert [sgd_probe.rate(39, 0), sgd_probe.rate(40, 0)] == pytest.approx([1e-3, 1e-4])
    # Ten batches an epoch: the scheduler has moved 3 x 11 + 7 times before the eighth batch of the fourth epoch.
    assert [sgd_probe.rate(36, 3), sgd_probe.rate(37, 3)] == pytest.approx([1e-3, 1e-4])


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_weights(case):
    first, again, other = (sgd_probe.fit_sgd(*case, seed=seed, epochs=2) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weights, again.weights)
    np.testing.assert_array_equal(first.bias, again.bias)
    assert (first.weights != other.weights).any()


def test_the_best_epoch_is_the_first_of_highest_macro_auroc_and_a_class_of_one_value_counts_in_none():
    rng = np.random.default_rng(5)
    labels = rng.random((60, 4)) < 0.3
    labels[:, 3] = False
    scores = rng.normal(size=(6, 60, 4))
    scores[4] = scores[2] = scores[2] + 2 * labels
    expected = [np.mean([roc_auc_score(labels[:, k], one[:, k]) for k in range(3)]) for one in scores]
    np.testing.assert_allclose(sgd_probe.macro_aurocs(scores, labels), expected)
    assert sgd_probe.best_epoch(scores, labels) == 2
    assert sgd_probe.best_epoch(scores, labels & False) == 5


def test_features_that_are_not_finite_are_refused(case):
    x = case[0].copy()
    x[4, 2] = np.nan
    with pytest.raises(CgdmerError, match="training record 4"):
        sgd_probe.fit_sgd(x, case[1], seed=0)
