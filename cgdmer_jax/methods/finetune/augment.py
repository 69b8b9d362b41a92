"""Changes of a recording that leave its labels true: rotation in time, and white noise."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int16

LARGEST = 2**15 - 1  # of an int16


def rotated(
    signal: Int16[Array, "batch lead time"], length: Int[Array, "batch"], shift: Int[Array, "batch"]
) -> Int16[Array, "batch lead time"]:
    """Sample t is what was sample t + shift, counted round the end of the recording; the padding stays where it is."""
    time = jnp.arange(signal.shape[2])[None, :]
    length = length[:, None]
    source = jnp.where(time < length, (time + shift[:, None]) % jnp.maximum(length, 1), time)
    return jnp.take_along_axis(signal, source[:, None, :], axis=2)


def noisy(
    signal: Int16[Array, "batch lead time"],
    lead_mask: Bool[Array, "batch lead"],
    length: Int[Array, "batch"],
    noise_uv: Float[Array, "batch lead time"],
) -> Int16[Array, "batch lead time"]:
    """With that noise where something was measured; absent leads and padding stay zero."""
    measured = lead_mask[:, :, None] & (jnp.arange(signal.shape[2]) < length[:, None])[:, None, :]
    made = jnp.clip(jnp.round(signal + noise_uv), -LARGEST, LARGEST).astype(jnp.int16)
    return jnp.where(measured, made, signal)
