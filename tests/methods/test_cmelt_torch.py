"""The contrast and the matching of C-MELT are those of plain torch, with gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the proof against PyTorch needs the extra `torch`")

from cgdmer_jax.methods.losses.contrastive import siglip  # noqa: E402
from cgdmer_jax.methods.losses.matching import match_loss, read_pairs  # noqa: E402
from tests.methods.graded import graded  # noqa: E402

B, WIDTH = 12, 7
DRAW = np.random.default_rng(0)
ECG, TEXT = DRAW.normal(size=(2, B, WIDTH)).astype(np.float32)
OWN = np.arange(B, dtype=np.int32)
REPLACED = DRAW.random(B) < 0.5
READ = np.where(REPLACED, OWN + 100, OWN)  # no text twice: the released code knows none


def of_torch(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("scale", "bias", "unit"), [(1.0, 0.0, False), (10.0, -2.5, True)])
def test_the_sigmoid_contrast_is_log_sigmoid_over_all_pairs_with_replaced_ones_on_the_diagonal_negative(
    scale, bias, unit
):
    """First the released one: plain products, the diagonal 2 aligned - 1, all else -1, over B^2 (here over B)."""
    ecg, text = (x / np.linalg.norm(x, axis=1, keepdims=True) if unit else x for x in (ECG, TEXT))
    theirs = of_torch(ecg), of_torch(text)
    signs = 2 * torch.diag(torch.tensor(~REPLACED, dtype=torch.float64)) - 1
    expected = -torch.nn.functional.logsigmoid(signs * (scale * theirs[0] @ theirs[1].T + bias)).sum() / B
    expected.backward()

    pairs = read_pairs(jnp.asarray(OWN), jnp.asarray(READ))
    value, gradient = graded(siglip, (0, 1))(ecg, text, pairs, np.float32(scale), np.float32(bias))
    np.testing.assert_allclose(value, expected.item(), rtol=1e-5)
    for one, other in zip(gradient, theirs, strict=True):
        np.testing.assert_allclose(one, other.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_matching_is_the_cross_entropy_of_two_classes_over_records_with_a_report():
    logits = 3 * ECG[:, :2]
    live = DRAW.random(B) < 0.7
    theirs = of_torch(logits)
    labels = torch.tensor(~REPLACED).long()
    expected = torch.nn.functional.cross_entropy(theirs[torch.tensor(live)], labels[torch.tensor(live)])
    expected.backward()
    value, gradient = jax.value_and_grad(match_loss)(*map(jnp.asarray, (logits, ~REPLACED, live)))
    np.testing.assert_allclose(value, expected.item(), rtol=1e-5)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-4, atol=1e-7)
