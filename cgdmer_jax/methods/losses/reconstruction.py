"""Loss terms: pure maths on global arrays. A record or position outside its mask never moves a term."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

PATCH_STD_FLOOR_MV = 0.02


def smooth_l1(error: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """0.5 e^2 within 1, |e| - 0.5 beyond (Huber 1964, delta 1)."""
    size = jnp.abs(error)
    return jnp.where(size < 1, 0.5 * error**2, size - 0.5)


def masked_average(x: Float[Array, "*axes"], live: Bool[Array, "*axes"]) -> Float[Array, ""]:
    """Mean over live entries; 0 when there are none."""
    return jnp.where(live, x, 0).sum() / jnp.maximum(live.sum(), 1)


def patch_z(
    patches: Float[Array, "batch slot sample"], scale_mv: Float[Array, "batch #slot"]
) -> Float[Array, "batch slot sample"]:
    """Each patch with mean 0 and standard deviation 1 (He et al. 2022); below 0.02 mV divided by 0.02 mV.

    `scale_mv`: the millivolts that 1 in `patches` means.
    """
    centred = patches - patches.mean(-1, keepdims=True)
    std = jnp.sqrt((centred**2).mean(-1))
    return centred / jnp.maximum(std, PATCH_STD_FLOOR_MV / scale_mv)[:, :, None]


def reconstruction_errors(
    predicted: Float[Array, "batch slot sample"],
    target: Float[Array, "batch slot sample"],
    live: Bool[Array, "batch slot"],
) -> Float[Array, "batch slot"]:
    """Smooth-L1 of the scaled signal, mean over a patch's samples; 0 for a dead slot, whatever stands there."""
    return smooth_l1(jnp.where(live[:, :, None], predicted - target, 0)).mean(-1)


def word_errors(
    logits: Float[Array, "batch slot vocabulary"], target: Int[Array, "batch slot"]
) -> Float[Array, "batch slot"]:
    """Cross-entropy at each masked position, in nats."""
    log_p = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.take_along_axis(log_p, target[:, :, None], axis=-1)[..., 0]
