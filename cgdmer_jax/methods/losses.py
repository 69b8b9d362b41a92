"""Loss terms: pure maths on global arrays. A record or position outside its mask never moves a term."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cgdmer_jax.batch import NO_TEXT

_IGNORED = -1e30


def smooth_l1(error: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """0.5 e^2 within 1, |e| - 0.5 beyond (Huber 1964, delta 1)."""
    size = jnp.abs(error)
    return jnp.where(size < 1, 0.5 * error**2, size - 0.5)


def masked_average(x: Float[Array, "*axes"], live: Bool[Array, "*axes"]) -> Float[Array, ""]:
    """Mean over live entries; 0 when there are none."""
    return jnp.where(live, x, 0).sum() / jnp.maximum(live.sum(), 1)


def reconstruction(
    predicted: Float[Array, "batch slot sample"],
    target: Float[Array, "batch slot sample"],
    live: Bool[Array, "batch slot"],
) -> Float[Array, ""]:
    """Smooth-L1 of the scaled signal, averaged over the live hidden patches of the batch."""
    error = jnp.where(live[:, :, None], predicted - target, 0)
    return masked_average(smooth_l1(error).mean(-1), live)


def masked_language(
    logits: Float[Array, "batch slot vocabulary"],
    target: Int[Array, "batch slot"],
    live: Bool[Array, "batch slot"],
) -> Float[Array, ""]:
    """Cross-entropy at the live masked positions."""
    log_p = jax.nn.log_softmax(logits, axis=-1)
    return masked_average(-jnp.take_along_axis(log_p, target[:, :, None], axis=-1)[..., 0], live)


def info_nce(
    ecg: Float[Array, "batch embedding"],
    text: Float[Array, "batch embedding"],
    text_id: Int[Array, "batch"],
    temperature: Float[Array, ""],
) -> Float[Array, ""]:
    """InfoNCE in both directions (van den Oord et al. 2018; Radford et al. 2021) of unit vectors.

    Other records with the same report are neither positives nor negatives; records without text are not there.
    """
    has_text = text_id != NO_TEXT
    same = (text_id[:, None] == text_id[None, :]) & ~jnp.eye(len(text_id), dtype=bool)
    counted = has_text[:, None] & has_text[None, :] & ~same
    logits = jnp.where(counted, ecg @ text.T / temperature, _IGNORED)
    own = jnp.diagonal(logits)
    to_text = jax.nn.logsumexp(logits, axis=1) - own
    to_ecg = jax.nn.logsumexp(logits, axis=0) - own
    return masked_average(0.5 * (to_text + to_ecg), has_text)


def hsic_unbiased(
    k: Float[Array, "batch batch"], h: Float[Array, "batch batch"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """HSIC_u of two kernel matrices over the live records (Song et al. 2012, equation 5); needs at least 4."""
    n = jnp.maximum(live.sum(), 4).astype(k.dtype)
    off_diagonal = (live[:, None] & live[None, :]) & ~jnp.eye(len(live), dtype=bool)
    k = jnp.where(off_diagonal, k, 0)
    h = jnp.where(off_diagonal, h, 0)
    k_rows, h_rows = k.sum(1), h.sum(1)
    total = (k * h).sum() + k_rows.sum() * h_rows.sum() / ((n - 1) * (n - 2))
    return (total - 2 / (n - 2) * (k_rows @ h_rows)) / (n * (n - 3))


def standardise(x: Float[Array, "batch width"], live: Bool[Array, "batch"]) -> Float[Array, "batch width"]:
    """Zero mean and unit variance of each column over the live records; the others become 0."""
    n = jnp.maximum(live.sum(), 1)
    keep = live[:, None]
    centred = jnp.where(keep, x - jnp.where(keep, x, 0).sum(0) / n, 0)
    return centred * jax.lax.rsqrt((centred**2).sum(0) / n + 1e-6)


def normalised_hsic(
    x: Float[Array, "batch width_x"], y: Float[Array, "batch width_y"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """Debiased, normalised HSIC with linear kernels: near 0 for independent features, 1 for rotated copies.

    HSIC_u(x, y) / sqrt(HSIC_u(x, x) HSIC_u(y, y)), floor 1e-6 under the root (the debiased CKA).
    """
    x, y = standardise(x, live), standardise(y, live)
    k, h = x @ x.T, y @ y.T
    scale = hsic_unbiased(k, k, live) * hsic_unbiased(h, h, live)
    return hsic_unbiased(k, h, live) * jax.lax.rsqrt(jnp.maximum(scale, 1e-6))


def disentangle(
    shared: Float[Array, "batch width"], specific: Float[Array, "batch width"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """Square of the normalised HSIC of shared and specific features; 0 when fewer than 4 records are live."""
    return jnp.where(live.sum() >= 4, normalised_hsic(shared, specific, live) ** 2, 0.0)
