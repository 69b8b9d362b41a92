"""A file of MERL's authors is read whole or refused with a table of what does not fit."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="MERL's files are torch's: the extra `torch`")

from cgdmer_jax.errors import CgdmerError  # noqa: E402
from cgdmer_jax.interop.merl_names import TOWER  # noqa: E402
from cgdmer_jax.interop.torch_weights import read_merl  # noqa: E402
from cgdmer_jax.methods.merl.network import ResNetSize  # noqa: E402
from tests.methods.merl_twins import make_twins  # noqa: E402


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    return make_twins(ResNetSize(8, (1, 1, 1, 1), False), tmp_path_factory.mktemp("merl") / "w.pth", samples=1000)


@pytest.fixture
def state(twins):
    return dict(twins.torch.state_dict())


def read(state, path, twins):
    torch.save(state, path)
    return read_merl(path, twins.variables)


def test_the_text_tower_and_what_no_loss_reached_are_left_out_by_name(state, twins, tmp_path):
    tower = {
        f"{TOWER}{name}": torch.ones(7, 3) for name in ("embeddings.word_embeddings.weight", "pooler.dense.weight")
    }
    head = {"ecg_encoder.linear.weight": torch.zeros(10, 64), "ecg_encoder.linear.bias": torch.zeros(10)}
    found = read(state | tower | head, tmp_path / "w.pth", twins)
    counters = {name for name in state if name.endswith(".num_batches_tracked")}
    assert set(found.left_out) == {*tower, *head, *counters} and len(counters) > 5
    assert found.told() == (
        f"{len(counters)} *.num_batches_tracked, 1 ecg_encoder.linear.bias, 1 ecg_encoder.linear.weight, 2 lm_model.*"
    )
    jax.tree.map(np.testing.assert_array_equal, found.variables, twins.variables)


def test_every_tensor_that_does_not_fit_stands_in_the_table(state, twins, tmp_path):
    del state["linear1.weight"]
    state["linear3.weight"] = torch.zeros(4, 4)
    state["downconv.bias"] = torch.zeros(3)
    with pytest.raises(CgdmerError, match="nothing was loaded") as caught:
        read(state, tmp_path / "w.pth", twins)
    told = str(caught.value)
    assert "missing     linear1.weight [32, 32]" in told
    assert "extra       linear3.weight [4, 4]" in told
    assert "mis-shaped  downconv.bias [3], expected [32]" in told
    assert told.count("\n") == 3


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(state, twins, tmp_path, value):
    state["linear1.weight"] = state["linear1.weight"].clone()
    state["linear1.weight"][0, 0] = value
    with pytest.raises(CgdmerError, match=r"w\.pth: 1 of the 1024 numbers of linear1\.weight are not finite; nothing"):
        read(state, tmp_path / "w.pth", twins)


def test_what_is_left_out_may_hold_anything(state, twins, tmp_path):
    odd = {f"{TOWER}pooler.dense.weight": torch.tensor([1.0, float("nan")])}
    found = read(state | odd, tmp_path / "w.pth", twins)
    assert set(odd) <= set(found.left_out)
    jax.tree.map(np.testing.assert_array_equal, found.variables, twins.variables)


def test_parameters_of_a_model_are_read_as_its_state(twins, tmp_path):
    named = dict(twins.torch.named_parameters())
    found = read(dict(twins.torch.state_dict()) | named, tmp_path / "w.pth", twins)
    jax.tree.map(np.testing.assert_array_equal, found.variables, twins.variables)


def test_a_file_that_is_cut_absent_or_no_state_dict_is_refused_in_a_sentence(state, twins, tmp_path):
    path = tmp_path / "w.pth"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CgdmerError, match="is cut, or holds more than tensors"):
        read_merl(path, twins.variables)
    with pytest.raises(CgdmerError, match="there is no file"):
        read_merl(tmp_path / "other.pth", twins.variables)
    with pytest.raises(CgdmerError, match=r"is a folder; name the checkpoint in it .*_ckpt\.pth"):
        read_merl(tmp_path, twins.variables)
    with pytest.raises(CgdmerError, match="holds no state dict"):
        read([1, 2], path, twins)


def test_code_in_a_file_is_never_run(twins, tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    with pytest.raises(CgdmerError, match="holds more than tensors"):
        read({"a": Evil()}, tmp_path / "w.pth", twins)
    assert not (tmp_path / "ran").exists()
