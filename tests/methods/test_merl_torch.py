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
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer, schedule  # noqa: E402
from configs.merl import SIZES, get_config  # noqa: E402
from tests.methods.conftest import N_TOKENS, SAMPLES  # noqa: E402
from tests.methods.merl_small import BERT, EMBEDDING, make_merl  # noqa: E402
from tests.methods.merl_twins import ORDER, assert_close, make_twins, signals, torch_of  # noqa: E402

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


START = {
    "basic": ResNetSize(24, (1, 2, 1, 1), False),
    "bottleneck": ResNetSize(16, (1, 2, 1, 1), True),
    "vit": VitSize(96, 2, 4, 0.1),
}


@pytest.mark.parametrize("name", START)
def test_first_weights_are_distributed_as_torch_s_layers_start(name, tmp_path):
    """The restatement's layers are as torch made them; nobody has drawn their weights anew."""
    sizes = {"samples": 1000, "embedding": 64, "tower_width": 160}
    twins = make_twins(START[name], tmp_path / "random.pth", **sizes)
    torch.manual_seed(0)
    torch.save(torch_of(START[name], **sizes).state_dict(), tmp_path / "first.pth")
    theirs = read_merl(tmp_path / "first.pth", twins.variables).variables
    signal, vectors = np.zeros((2, 12, sizes["samples"]), np.float32), np.zeros((2, sizes["tower_width"]), np.float32)
    ours = jax.jit(twins.network.init)(jax.random.key(0), signal, vectors)
    assert jax.tree.structure(ours["params"]) == jax.tree.structure(theirs.params)
    n_random = 0
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(ours["params"]), jax.tree.leaves(theirs.params), strict=True
    ):
        place, spread = jax.tree_util.keystr(path), float(np.std(other))
        if not spread:  # norms, and the biases that attention begins with
            np.testing.assert_array_equal(one, other, err_msg=place)
            continue
        n_random += 1
        # Five standard errors of a difference of two draws, of normal ones, which have the larger ones.
        np.testing.assert_allclose(np.mean(one), np.mean(other), atol=5 * spread * (2 / one.size) ** 0.5, err_msg=place)
        np.testing.assert_allclose(np.std(one), spread, rtol=5 / one.size**0.5, err_msg=place)
        if one.size > 1000:  # tells an even draw from a normal one
            np.testing.assert_allclose(np.abs(one).max(), np.abs(other).max(), rtol=0.25, err_msg=place)
            uneven = np.abs(other).max() > 2 * spread
            assert (np.abs(one).max() > 2 * np.std(one)) == uneven, place
    assert n_random > 10


def test_the_released_optimiser_takes_torch_s_steps():
    """AdamW over all parameters, norms and biases too, with a decay large enough to show in three steps."""
    config = get_config("resnet18").optimizer.to_dict() | {"weight_decay": 0.1, "steps": 4}
    config = from_fields(OptimizerConfig, config)
    draw = np.random.default_rng(0)
    names = ("down/kernel", "down/bias", "norm/scale", "position")
    params, *gradients = ({name: draw.normal(size=(3, 2)).astype(np.float32) for name in names} for _ in range(4))
    optimizer, rate = make_optimizer(config, params), schedule(config)
    state, found = optimizer.init(params), params
    held = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in params.items()}
    theirs = torch.optim.AdamW(held.values(), betas=(0.9, 0.999), weight_decay=0.1)
    for step, gradient in enumerate(gradients):
        updates, state = optimizer.update(gradient, state, found)
        found = jax.tree.map(np.add, found, updates)
        theirs.param_groups[0]["lr"] = float(rate(step))
        for name, value in gradient.items():
            held[name].grad = torch.tensor(value)
        theirs.step()
    for name in names:
        assert np.abs(found[name] - params[name]).max() > 1e-4
        np.testing.assert_allclose(found[name], held[name].detach().numpy(), rtol=1e-5, atol=1e-7)


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
