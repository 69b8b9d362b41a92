"""Microvolts to the unit a model sees, on the device."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int16

STD_FLOOR_MV = 0.01
CLIP = 20.0
SCALINGS = ("record_std", "lead_std", "fixed_mv")
VISIBLE = "visible_samples"  # for a method that tells which samples are hidden
MINMAX = "record_minmax"  # has an offset, so it is no `Scaled`
RANGE_FLOOR_MV = 0.01


class Scaled(NamedTuple):
    """`signal` = millivolts / `scale_mv`, 0 where nothing was measured."""

    signal: Float[Array, "batch lead time"]
    scale_mv: Float[Array, "batch lead"]
    log_std: Float[Array, "batch lead"]  # log of each lead's own standard deviation in mV, whatever the scaling


def scale(
    signal: Int16[Array, "batch lead time"],
    lead_mask: Bool[Array, "batch lead"],
    length: Int[Array, "batch"],
    scaling: str,
    hidden: Bool[Array, "batch lead time"] | None = None,
) -> Scaled:
    """Divides by `record_std` (one a record), `lead_std` (one a lead) or 1 mV (`fixed_mv`); clip 20.

    The standard deviations are over present leads and valid samples, floor 0.01 mV. Nothing is subtracted, so with
    one scalar a record the lead identities (III = II - I, ...) survive. `visible_samples` is `record_std` over what is
    not `hidden`, and `log_std` then is over that as well.
    """
    live = _live(signal, lead_mask, length)
    signal_mv = jnp.where(live, signal.astype(float) * 1e-3, 0.0)  # float64 where JAX has it
    seen, seen_mv = live, signal_mv
    if scaling == VISIBLE and hidden is not None:
        seen = live & ~hidden
        seen_mv = jnp.where(seen, signal_mv, 0.0)
    lead_std = _std(seen_mv, seen, (2,))
    if scaling in ("record_std", VISIBLE):
        scale_mv = jnp.broadcast_to(_std(seen_mv, seen, (1, 2)), lead_std.shape)
    elif scaling == "lead_std":
        scale_mv = lead_std
    else:
        scale_mv = jnp.ones_like(lead_std)
    return Scaled(jnp.clip(signal_mv / scale_mv, -CLIP, CLIP), scale_mv[:, :, 0], jnp.log(lead_std[:, :, 0]))


def standardised(
    signal: Int16[Array, "batch lead time"], lead_mask: Bool[Array, "batch lead"], length: Int[Array, "batch"]
) -> Float[Array, "batch lead time"]:
    """Each lead with mean 0 and standard deviation 1 over its valid samples; 0 where nothing was measured.

    A standard deviation below 0.01 mV counts as that.
    """
    live = _live(signal, lead_mask, length)
    signal_mv = jnp.where(live, signal.astype(float) * 1e-3, 0.0)
    mean = signal_mv.sum(2, keepdims=True) / jnp.maximum(live.sum(2, keepdims=True), 1)
    return jnp.where(live, (signal_mv - mean) / _std(signal_mv, live, (2,)), 0.0)


def minmax(
    signal: Int16[Array, "batch lead time"], lead_mask: Bool[Array, "batch lead"], length: Int[Array, "batch"]
) -> Float[Array, "batch lead time"]:
    """All leads of a record onto 0..1 by its one minimum and one maximum, as MERL does (docs/merl.md, "As released").

    What was not measured counts as 0 mV, so it becomes the grey level of 0 mV; a range below 0.01 mV counts as that.
    """
    signal_mv = jnp.where(_live(signal, lead_mask, length), signal.astype(jnp.float32) * 1e-3, 0.0)
    low, high = signal_mv.min((1, 2), keepdims=True), signal_mv.max((1, 2), keepdims=True)
    return (signal_mv - low) / jnp.maximum(high - low, RANGE_FLOOR_MV)


def _live(signal, lead_mask, length):
    return lead_mask[:, :, None] & (jnp.arange(signal.shape[2])[None, None, :] < length[:, None, None])


def _std(signal_mv, live, axes: tuple[int, ...]):
    """Standard deviation over the live entries of these axes, kept as axes of one."""
    n = jnp.maximum(live.sum(axes, keepdims=True), 1)
    mean = signal_mv.sum(axes, keepdims=True) / n
    variance = jnp.where(live, (signal_mv - mean) ** 2, 0.0).sum(axes, keepdims=True) / n
    return jnp.maximum(jnp.sqrt(variance), STD_FLOOR_MV)
