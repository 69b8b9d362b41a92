"""MERL's encoders, statistics and loss are those of a plain restatement in PyTorch."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the proof against PyTorch needs the extra `torch`")

from cgdmer_jax.batch import Batch  # noqa: E402
from cgdmer_jax.config import from_fields  # noqa: E402
from cgdmer_jax.interop.torch_weights import read_merl  # noqa: E402
from cgdmer_jax.methods.merl.config import MerlDraws  # noqa: E402
from cgdmer_jax.methods.merl.method import TEXT_VECTORS  # noqa: E402
from cgdmer_jax.methods.merl.network import ResNetSize, VitSize  # noqa: E402
from cgdmer_jax.models.batch_norm import STATISTICS  # noqa: E402
from configs.merl import SIZES  # noqa: E402
from tests.methods.conftest import N_TOKENS, SAMPLES  # noqa: E402
from tests.methods.merl_small import BERT, EMBEDDING, make_merl  # noqa: E402
from tests.methods.merl_twins import ORDER, assert_close, make_twins, signals  # noqa: E402

SMALL = {
    "basic": ResNetSize(8, (1, 2, 1, 1), False),
    "bottleneck": ResNetSize(8, (1, 2, 1, 1), True),
    "vit": VitSize(32, 2, 4, 0.1),
}


def size_of(name):
    return from_fields(VitSize if name.startswith("vit") else ResNetSize, SIZES[name])


@pytest.mark.parametrize("name", SIZES)
def test_every_size_gives_the_features_of_its_restatement(name, tmp_path):
    """Width, depth and length of the recordings are the size's; what lies behind them has the width of the release."""
    twins = make_twins(size_of(name), tmp_path / "w.pth", samples=5000, embedding=256, tower_width=768)
    ours, theirs = signals(2, 5000)
    made = jax.jit(lambda x: twins.apply(x, method="ecg_features", train=False))(ours)
    with torch.no_grad():
        expected = twins.torch.eval().features(theirs)
    for one, other in zip(made, expected, strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("name", SMALL)
def test_a_training_pass_has_its_restatements_features_and_leaves_its_statistics(name, tmp_path):
    twins = make_twins(SMALL[name], tmp_path / "w.pth", samples=1000)
    ours, theirs = signals(6, 1000)

    def trained(network, x):
        return network.ecg_features(x, train=True)

    made, changed = jax.jit(lambda x: twins.apply(x, method=trained, mutable=[STATISTICS]))(ours)
    expected = twins.torch.train().features(theirs)
    for one, other in zip(made, expected, strict=True):
        assert_close(one, other)
    file = tmp_path / "after.pth"
    torch.save(twins.torch.state_dict(), file)
    after = read_merl(file, twins.variables).variables.state
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(changed[STATISTICS]), jax.tree.leaves(after), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4, err_msg=str(path))


@pytest.mark.parametrize("train", [False, True])
def test_the_loss_and_its_gradient_are_those_of_the_restatement(train, tmp_path):
    """Both alignments, with the same dropped entries of the views in training; no report occurs twice."""
    sizes = {"samples": SAMPLES, "embedding": EMBEDDING, "tower_width": BERT["width"]}
    twins = make_twins(SMALL["basic"], tmp_path / "w.pth", **sizes)
    draw = np.random.default_rng(0)
    signal = draw.normal(0, 300, (6, 12, SAMPLES)).astype(np.int16)
    vectors = draw.normal(size=(6, BERT["width"])).astype(np.float32)
    keeps = draw.random((2, 6, EMBEDDING)) < 0.9
    merl = make_merl(ecg=SMALL["basic"])
    whole = np.ones((6, 12), bool)
    batch = Batch(
        signal=signal,
        lead_mask=whole,
        length=np.full(6, SAMPLES, np.int32),
        row=np.arange(6, dtype=np.int32),
        tokens=np.full((6, N_TOKENS), 5, np.int32),
        token_mask=np.ones((6, N_TOKENS), bool),
        text_id=np.arange(6, dtype=np.int32),
        text_columns={TEXT_VECTORS: vectors},
    )

    def loss_of(params, batch, draws):
        return merl.loss(twins.variables._replace(params=params), batch, draws, train=train)[0]

    value, gradient = jax.jit(jax.value_and_grad(loss_of))(twins.variables.params, batch, MerlDraws(whole, *keeps))
    low, high = (getattr(signal, name)((1, 2), keepdims=True) for name in ("min", "max"))
    scaled = ((signal - low) / (high - low)).astype(np.float32)[:, ORDER]
    twins.torch.train(train)
    expected = twins.torch.loss(torch.tensor(scaled), torch.tensor(vectors), torch.tensor(keeps) if train else None)
    assert float(value) == pytest.approx(expected.item(), rel=1e-4)
    expected.backward()
    theirs = twins.torch.linear1.weight.grad, twins.torch.proj_t[0].weight.grad
    for one, other in zip((gradient["view1"]["kernel"], gradient["text_hidden"]["kernel"]), theirs, strict=True):
        assert_close(one.T, other, limit=1e-3)
