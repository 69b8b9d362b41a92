"""MERL's batch norms are of the global batch: eight devices give loss, gradients and new statistics of one."""

import json

import numpy as np

from tests.several_hosts import hosts


def compare() -> dict:
    """The smallest MERL in training on one device and on eight."""
    import jax

    from cgdmer_jax.methods.merl.method import TEXT_VECTORS
    from cgdmer_jax.methods.protocol import Variables
    from cgdmer_jax.models.transformer import Compute
    from cgdmer_jax.training import sharding
    from tests.methods import conftest as small
    from tests.methods.merl_small import BERT, make_merl

    # Where the exact gradient is 0, float32 leaves rounding that no two orders of summing share.
    merl = make_merl(scaling="fixed_mv", lead_dropout=0.3)
    merl.network = merl.network.clone(compute=Compute("float64"))
    draw, n = np.random.default_rng(0), 16
    batch = batch_of(n, draw, small, {TEXT_VECTORS: draw.normal(size=(n, BERT["width"])).astype(np.float32)})
    key = jax.random.key(0)
    shapes = jax.eval_shape(merl.init, key, batch)
    params = jax.tree.map(lambda x: draw.normal(0, 0.2, x.shape), shapes.params)
    state = jax.tree.map(lambda x: draw.uniform(0.5, 1, x.shape), shapes.state)

    def loss_of(params, state, batch):
        value, aux = merl.loss(Variables(params, state), batch, merl.draw(key, batch, 0.5), train=True)
        return value, aux.state

    everything = sharding.make_mesh()
    assert everything.size == 8
    one = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), everything.axis_names)
    found = []
    for mesh in (one, everything):
        placed = sharding.place_batch(batch, mesh)
        assert placed.signal.addressable_shards[0].data.shape[0] == n // mesh.size
        given = jax.device_put((params, state), sharding.replicated(mesh))
        (value, new), gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))(*given, placed)
        found.append((float(value), *jax.tree.map(np.asarray, (gradient, new))))
    (loss, gradient, new), (other_loss, other_gradient, other_new) = found
    whole = np.sqrt(sum(np.sum(g**2) for g in jax.tree.leaves(gradient)))

    def worst(tree, other, least: float) -> float:
        """Largest relative error of an array; one that is tiny beside the others is measured against them."""
        errors = jax.tree.map(lambda a, b: np.linalg.norm(a - b) / max(np.linalg.norm(a), least), tree, other)
        return float(max(jax.tree.leaves(errors)))

    return {
        "loss": abs(other_loss / loss - 1),
        "gradient": worst(gradient, other_gradient, 1e-3 * whole),
        "statistics": worst(new, other_new, 1e-12),
        "gradient_norm": float(whole),
        "moved": min(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.abs(a - b).max()), state, new))),
        "dtypes": sorted({str(x.dtype) for x in jax.tree.leaves((gradient, new))}),
    }


def batch_of(n: int, draw, small, columns: dict):
    """Records that differ in amplitude, so that no device's part of them has the statistics of all."""
    from cgdmer_jax.batch import Batch

    size = np.geomspace(0.1, 10, n)[:, None, None]
    return Batch(
        signal=np.clip(draw.normal(0, 500, (n, 12, small.SAMPLES)) * size, -32000, 32000).astype(np.int16),
        lead_mask=np.ones((n, 12), bool),
        length=draw.integers(small.SAMPLES // 2, small.SAMPLES + 1, n).astype(np.int32),
        row=np.arange(n, dtype=np.int32),
        tokens=draw.integers(5, small.VOCABULARY, (n, small.N_TOKENS)).astype(np.int32),
        token_mask=np.ones((n, small.N_TOKENS), bool),
        text_id=np.arange(n, dtype=np.int32) // 2,
        text_columns=columns,
    ).check()


def test_eight_devices_give_merl_s_loss_gradients_and_batch_statistics_of_one(tmp_path):
    with hosts(tmp_path, ["-m", "tests.training.test_merl_sharding"], devices=8, JAX_ENABLE_X64="1") as (host,):
        assert host.code() == 0, host.said()
        found = json.loads(host.said().splitlines()[-1])
    assert found["gradient_norm"] > 0.01 and found["moved"] > 1e-3 and found["dtypes"] == ["float64"]
    for name in ("loss", "gradient", "statistics"):
        assert found[name] < 1e-5, found


if __name__ == "__main__":
    print("\n" + json.dumps(compare()))
