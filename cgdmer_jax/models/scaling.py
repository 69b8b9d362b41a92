"""Microvolts to the unit a model sees, on the device."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int16

STD_FLOOR_MV = 0.01
CLIP = 20.0


class Scaled(NamedTuple):
    """`signal` = millivolts / `scale_mv`, 0 where nothing was measured."""

    signal: Float[Array, "batch lead time"]
    scale_mv: Float[Array, "batch"]


def record_std(
    signal: Int16[Array, "batch lead time"],
    lead_mask: Bool[Array, "batch lead"],
    length: Int[Array, "batch"],
) -> Scaled:
    """One scalar a record: the standard deviation over present leads and valid samples (floor 0.01 mV, clip 20).

    Nothing is subtracted, so the lead identities (III = II - I, ...) survive.
    """
    live = lead_mask[:, :, None] & (jnp.arange(signal.shape[2])[None, None, :] < length[:, None, None])
    signal_mv = jnp.where(live, signal.astype(jnp.float32) * 1e-3, 0.0)
    n = jnp.maximum(live.sum((1, 2)), 1)
    mean = signal_mv.sum((1, 2)) / n
    variance = jnp.where(live, (signal_mv - mean[:, None, None]) ** 2, 0.0).sum((1, 2)) / n
    scale_mv = jnp.maximum(jnp.sqrt(variance), STD_FLOOR_MV)
    return Scaled(jnp.clip(signal_mv / scale_mv[:, None, None], -CLIP, CLIP), scale_mv)
