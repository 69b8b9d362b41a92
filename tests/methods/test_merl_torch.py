"""MERL's encoders, statistics and loss are those of a plain restatement in PyTorch."""

import jax
import pytest

torch = pytest.importorskip("torch", reason="the proof against PyTorch needs the extra `torch`")

from cgdmer_jax.methods.make import from_fields  # noqa: E402
from cgdmer_jax.methods.merl_network import ResNetSize, VitSize  # noqa: E402
from configs.merl import SIZES  # noqa: E402
from tests.methods.merl_twins import assert_close, make_twins, signals  # noqa: E402

SMALL = {
    "basic": ResNetSize(8, (1, 2, 1, 1), False),
    "bottleneck": ResNetSize(8, (1, 2, 1, 1), True),
    "vit": VitSize(32, 2, 4, 0.1),
}


def size_of(name):
    return from_fields(VitSize if name.startswith("vit") else ResNetSize, SIZES[name])


@pytest.mark.parametrize("name", SIZES)
def test_every_published_size_gives_the_features_of_its_restatement(name, tmp_path):
    """Of released width and depth, on recordings of the released length."""
    twins = make_twins(size_of(name), tmp_path / "w.pth", samples=5000, embedding=256, tower_width=768)
    ours, theirs = signals(2, 5000)
    made = jax.jit(lambda x: twins.apply(x, method="ecg_features", train=False))(ours)
    with torch.no_grad():
        expected = twins.torch.eval().features(theirs)
    for one, other in zip(made, expected, strict=True):
        assert_close(one, other)
