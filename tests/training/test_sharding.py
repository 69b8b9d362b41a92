"""Eight devices give the loss and the gradient of one; a batch they cannot share is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training import sharding

ROOT = Path(__file__).parents[2]


def test_the_mesh_of_a_run_holds_all_devices():
    import jax

    mesh = sharding.make_mesh()
    assert mesh.axis_names == ("data", "fsdp") and mesh.size == jax.device_count()


def compare() -> dict:
    """Loss and gradient of the smallest CG-DMER on one device and on eight; runs in a process that has eight."""
    import jax

    from cgdmer_jax.batch import Batch
    from cgdmer_jax.methods.protocol import Variables
    from tests.methods.conftest import CONFIG as METHOD_CONFIG
    from tests.methods.conftest import N_TOKENS, SAMPLES, VOCABULARY, make_method

    method, draw = make_method(METHOD_CONFIG), np.random.default_rng(0)
    n = 16
    tokens = draw.integers(5, VOCABULARY, (n, N_TOKENS)).astype(np.int32)
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
        text_id=np.arange(n, dtype=np.int32) // 2,
        text_columns={},
    ).check()
    key = jax.random.key(0)
    shapes = jax.eval_shape(method.init, key, batch)
    params = jax.tree.map(lambda x: draw.normal(0, 0.1, x.shape).astype(x.dtype), shapes.params)

    def loss_of(params, batch):
        draws = method.draw(key, batch, 0.5)
        return method.loss(Variables(params, {}), batch, draws, train=True)[0]

    everything = sharding.make_mesh()
    sharding.check_batch_size(n, everything)
    with pytest.raises(CgdmerError, match="is 12, which 8 devices cannot share evenly; choose a multiple of 8"):
        sharding.check_batch_size(12, everything)
    one = jax.sharding.Mesh(everything.devices.reshape(-1)[:1].reshape(1, 1), everything.axis_names)
    results = []
    for mesh in (one, everything):
        placed = sharding.place_batch(batch, mesh)
        assert len(placed.signal.sharding.device_set) == mesh.size
        assert placed.signal.addressable_shards[0].data.shape[0] == n // mesh.size
        on_mesh = jax.device_put(params, sharding.replicated(mesh))
        loss, gradient = jax.jit(jax.value_and_grad(loss_of))(on_mesh, placed)
        flat = np.concatenate([np.asarray(g, np.float64).ravel() for g in jax.tree.leaves(gradient)])
        results.append((float(loss), flat))
    (loss_1, gradient_1), (loss_8, gradient_8) = results
    return {
        "devices": everything.size,
        "loss": loss_1,
        "loss_error": abs(loss_8 / loss_1 - 1),
        "gradient_norm": float(np.linalg.norm(gradient_1)),
        "gradient_error": float(np.linalg.norm(gradient_8 - gradient_1) / np.linalg.norm(gradient_1)),
    }


def test_eight_devices_give_the_loss_and_the_gradient_of_one_and_refuse_a_batch_of_12():
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=8",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.test_sharding"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 8
    assert np.isfinite(found["loss"]) and found["gradient_norm"] > 0.01
    assert found["loss_error"] < 1e-5
    assert found["gradient_error"] < 1e-4  # float32 sums in another order


if __name__ == "__main__":
    print(json.dumps(compare()))
