"""CG-DMER written plainly in PyTorch gives our loss, gradients and training curves from the same weights."""

import dataclasses

import jax
import numpy as np
import pytest

from benchmarks.random_batch import random_batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.optimizer import OptimizerConfig
from tests.methods import conftest as small

torch = pytest.importorskip("torch")

from baselines.torch_cgdmer import parity as compare  # noqa: E402
from baselines.torch_cgdmer import weights  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
OPTIMIZER = OptimizerConfig(
    steps=60,
    learning_rate=2e-3,
    warmup_fraction=0.1,
    final_fraction=0.1,
    beta1=0.9,
    beta2=0.95,
    weight_decay=0.05,
    clip_norm=0.5,
    rate_factors=(("log_inverse_temperature", 10.0),),
)


def first_weights(method, batch):
    return jax.tree.map(np.asarray, small.weights_of(method, batch).params)


@pytest.fixture(scope="module")
def params(batch, method):
    return first_weights(method, batch)


def twin(dtype: str, params: dict, **fields):
    config = dataclasses.replace(small.CONFIG, dtype=dtype, statement_dropout=0.3, decode_ratio=0.75, **fields)
    return small.make_method(config), params


def batches(n: int):
    return [random_batch(8, small.SAMPLES, small.N_TOKENS, small.VOCABULARY, seed) for seed in range(n)]


@pytest.mark.parametrize(("stem", "scale_feature"), [("conv", True), ("linear", True), ("linear", False)])
@pytest.mark.parametrize(("dtype", "limit"), [("float64", 1e-12), ("float32", 1e-4)])
def test_loss_terms_and_every_gradient_are_those_of_torch(dtype, limit, stem, scale_feature, batch):
    """On records that are short, miss leads, share a report or have none."""
    of_patch = {"stem": stem, "scale_feature": scale_feature}
    params = first_weights(small.make_method(dataclasses.replace(small.CONFIG, **of_patch)), batch)
    rows = compare.in_precision(dtype, compare.parity, twin(dtype, params, lead_dropout=0.5, **of_patch), batch)
    assert {row["what"] for row in rows} > {"loss", "term ecg", "term text", "term align", "term disentangle"}
    assert sum(row["what"].startswith("gradient") for row in rows) == len(jax.tree.leaves(params))
    assert compare.worst(rows, "") < limit


@pytest.mark.parametrize(("dtype", "steps", "limit"), [("float64", 10, 1e-6), ("float32", 50, 1e-3)])
def test_training_curves_from_equal_weights_are_those_of_torch(dtype, steps, limit, params):
    rows = compare.in_precision(dtype, compare.curves, twin(dtype, params), OPTIMIZER, batches(steps))
    assert len({row["ours"] for row in rows}) == steps
    assert compare.worst(rows, "curve") < limit


def test_weights_go_to_torch_and_back_without_a_change(params, method):
    network, _ = weights.network_of(method)
    weights.transplant(params, network)
    back = weights.params_of({n: p.detach().numpy() for n, p in network.named_parameters()}, params)
    jax.tree.map(np.testing.assert_array_equal, params, back)


def test_a_config_that_torch_does_not_have_is_refused_by_field():
    with pytest.raises(CgdmerError, match=r"config\.method\.pooling is 'attention'"):
        weights.check(dataclasses.replace(small.CONFIG, pooling="attention"))
