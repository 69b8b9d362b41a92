"""Eight devices, of one host or of two, give loss and gradients of one; what they cannot share is refused."""

import dataclasses
import json
import os
import sys

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training import sharding
from cgdmer_jax.training.hosts import given_job, join
from tests.several_hosts import PATIENCE, hosts


def test_the_mesh_of_a_run_holds_all_devices():
    import jax

    mesh = sharding.make_mesh()
    assert mesh.axis_names == ("data", "fsdp") and mesh.size == jax.device_count()


def compare(name: str) -> dict:
    """Loss and gradient of the smallest method of that name on one device and on eight; on all hosts of those."""
    import jax

    from cgdmer_jax.batch import Batch
    from cgdmer_jax.methods.finetune.method import Finetune
    from cgdmer_jax.methods.protocol import Variables
    from cgdmer_jax.training import placement
    from tests.methods.cmelt_small import make_cmelt, table_of
    from tests.methods.conftest import CONFIG as METHOD_CONFIG
    from tests.methods.conftest import N_TOKENS, RATE, SAMPLES, VOCABULARY, make_method
    from tests.methods.finetune_small import config_of
    from tests.methods.kmerl_small import NAMES, make_kmerl
    from tests.methods.merl_small import make_merl

    # Where the exact gradient is 0, float32 leaves rounding that no two orders of summing share.
    def make_cgdmer():
        return make_method(dataclasses.replace(METHOD_CONFIG, dtype="float64"))

    def make_finetune(encoder, **fields):
        size = {"n_leads": 12, "n_samples": SAMPLES, "rate": RATE, "max_tokens": N_TOKENS}
        augmented = {"lead_dropout": 0.3, "time_shift_seconds": 0.5, "noise_uv": 9.0}
        return Finetune(config_of(**augmented, **fields), encoder, **size)

    def finetuned_merl():
        """Norms over the batch, which the devices share; attention over positions; dropout."""
        merl = make_merl(dtype="float64")
        return make_finetune(merl, encoder_trained=3, head_pooling="attention", head_dropout=0.3)

    makers = {
        "cgdmer": make_cgdmer,
        "finetune": lambda: make_finetune(make_cgdmer()),
        "finetuned_merl": finetuned_merl,
        "cmelt": lambda: make_cmelt(dtype="float64"),
        "kmerl": lambda: make_kmerl(dtype="float64"),
    }
    method = makers[name]()
    draw = np.random.default_rng(0)
    n = 16
    tokens = draw.integers(5, VOCABULARY, (n, N_TOKENS)).astype(np.int32)
    text_id = np.arange(n, dtype=np.int32) // 2
    columns = {
        "cgdmer": {},
        "finetune": {},
        "finetuned_merl": {},
        "cmelt": {"negatives": table_of(text_id)},
        "kmerl": {"entities": draw.integers(-1, 3, (n, len(NAMES))).astype(np.int8)},
    }
    length = draw.integers(SAMPLES // 2, SAMPLES + 1, n).astype(np.int32)
    lead_mask = np.arange(12) < draw.integers(3, 13, n)[:, None]
    signal = draw.normal(0, 500, (n, 12, SAMPLES)) * lead_mask[:, :, None]
    batch = Batch(
        signal=signal.astype(np.int16),
        lead_mask=lead_mask,
        length=length,
        row=np.arange(n, dtype=np.int32),
        tokens=tokens,
        token_mask=np.ones((n, N_TOKENS), bool),
        text_id=text_id,
        text_columns=columns[name],
        record_columns={"labels:toy": np.arange(n)[:, None] % 3 == np.arange(3)},
    ).check()
    key = jax.random.key(0)
    shapes = jax.eval_shape(method.init, key, batch)
    params = jax.tree.map(lambda x: draw.normal(0, 0.1, x.shape), shapes.params)
    tracked = jax.tree.map(lambda x: 1 + draw.random(x.shape), shapes.state)

    def loss_of(params, batch):
        draws = method.draw(key, batch, 0.5)
        return method.loss(Variables(params, tracked), batch, draws, train=True)[0]

    everything, split = sharding.make_mesh(), sharding.make_mesh((2, 4))
    sharding.check_batch_size(n, everything)
    with pytest.raises(CgdmerError, match="is 12, which 8 devices cannot share evenly; choose a multiple of 8"):
        sharding.check_batch_size(12, everything)
    for wrong in ((16, 1), (4, 1), (0, 3), (0, 0)):
        with pytest.raises(CgdmerError, match=r"config\.run\.mesh is"):
            sharding.make_mesh(wrong)
    one = jax.sharding.Mesh(np.array(jax.local_devices()[:1]).reshape(1, 1), everything.axis_names)
    own = jax.tree.map(lambda rows: rows[sharding.own_rows(n)], batch)
    found = {}
    for place, mesh, rows in (("one", one, batch), ("data 8", everything, own), ("data 2, fsdp 4", split, own)):
        placed = sharding.place_batch(rows, mesh)
        assert len(placed.signal.sharding.device_set) == mesh.size
        assert placed.signal.addressable_shards[0].data.shape[0] == n // mesh.size
        for shard in placed.record_columns["labels:toy"].addressable_shards:
            np.testing.assert_array_equal(shard.data, batch.record_columns["labels:toy"][shard.index])
            assert shard.data.shape == (n // mesh.size, 3)
        where = placement.shardings(params, mesh, smallest=64)
        on_mesh = jax.device_put(params, where)
        loss, gradient = jax.jit(jax.value_and_grad(loss_of), out_shardings=(None, where))(on_mesh, placed)
        n_split = sum(not x.sharding.is_fully_replicated for x in jax.tree.leaves(gradient))
        whole = jax.jit(lambda x: x, out_shardings=sharding.replicated(mesh))(gradient)  # on every host
        found[place] = float(loss), jax.tree.map(lambda g: np.asarray(g, np.float64), whole), n_split
    loss, gradient, _ = found.pop("one")
    whole = np.sqrt(sum(np.sum(g**2) for g in jax.tree.leaves(gradient)))

    def error(g, other) -> float:
        """Relative error of one parameter's gradient; one that is tiny beside the others is measured against them."""
        return float(np.linalg.norm(other - g) / max(np.linalg.norm(g), 1e-3 * whole))

    return {
        name: {
            "loss": abs(other / loss - 1),
            "gradient": max(jax.tree.leaves(jax.tree.map(error, gradient, theirs))),
            "gradient_norm": float(whole),
            "n_split": n_split,
        }
        for name, (other, theirs, n_split) in found.items()
    }


@pytest.mark.parametrize(
    ("name", "n_hosts"),
    [("cgdmer", 1), ("cgdmer", 2), ("cmelt", 1), ("finetune", 1), ("finetuned_merl", 1), ("kmerl", 1)],
)
def test_eight_devices_give_the_loss_and_every_gradient_of_one_with_parameters_split_or_not(name, n_hosts, tmp_path):
    words = ["-m", "tests.training.test_sharding"]
    with hosts(tmp_path, *[words] * n_hosts, devices=8 // n_hosts, JAX_ENABLE_X64="1", METHOD=name) as started:
        assert [host.code() for host in started] == [0] * n_hosts, started[0].said()
        told = [json.loads(host.said().splitlines()[-1]) for host in started]
    for found in told:
        assert found["data 8"]["n_split"] == 0 and found["data 2, fsdp 4"]["n_split"] > 10
        for errors in found.values():
            assert errors["gradient_norm"] > 0.01
            assert errors["loss"] < 1e-5 and errors["gradient"] < 1e-5


def main() -> None:
    if sys.argv[1:]:  # one of several hosts
        address, processes, process = (word.partition("=")[2] for word in sys.argv[1:])
        join(given_job(address, int(processes), int(process)), timeout_s=PATIENCE)
    print("\n" + json.dumps(compare(os.environ["METHOD"])))


if __name__ == "__main__":
    main()
