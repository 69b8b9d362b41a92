"""FLOPs of a training step, and the peak rate of the chips."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.models.flops import matmul_flops

# Dense bfloat16 FLOP/s of one chip, from the vendors' data sheets; by what JAX's device_kind holds of the name.
PEAK = {"a100": 312e12, "h100": 989e12, "h200": 989e12, "v4": 275e12, "v5e": 197e12, "v5p": 459e12, "v6e": 918e12}
OTHER_NAMES = {"v5 lite": "v5e", "v5litepod": "v5e", "v6 lite": "v6e", "tpu v5": "v5p"}  # device_kind of TPUs
FORWARD_AND_BACKWARD = 3  # the backward pass costs two forward ones; recomputation (remat) is no model FLOP


def flop_a_record(method: Method, variables: Variables, batch: Batch, key: PRNGKeyArray) -> float:
    """FLOPs of the matrix products of forward and backward pass; shapes suffice, nothing is computed."""
    draws = jax.eval_shape(method.draw, key, batch, jnp.float32(0))

    def loss(params, state, batch, draws):
        return method.loss(Variables(params, state), batch, draws, train=True)[0]

    return FORWARD_AND_BACKWARD * matmul_flops(loss, *variables, batch, draws) / len(batch.length)


def peak_of(device_kind: str) -> float | None:
    """FLOP/s of a chip of that kind; None for one that is not known, such as a CPU."""
    return PEAK.get(chip_of(device_kind))


def chip_of(device_kind: str) -> str | None:
    """Its name in PEAK."""
    kind = device_kind.lower()
    names = [name for part, name in OTHER_NAMES.items() if part in kind] + [name for name in PEAK if name in kind]
    return names[0] if names else None


def share_a_record(method: Method, variables: Variables, batch: Batch, key: PRNGKeyArray) -> float | None:
    """The share of all devices' peak that one record a second uses; None where the peak is not known."""
    peaks = [peak_of(device.device_kind) for device in jax.devices()]
    return None if None in peaks else flop_a_record(method, variables, batch, key) / math.fsum(peaks)
