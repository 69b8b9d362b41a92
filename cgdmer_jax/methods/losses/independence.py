"""Disentangling: how much two sets of features of the same records depend on each other, debiased."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from cgdmer_jax.methods.losses.reconstruction import masked_average

DISENTANGLINGS = ("hsic_linear", "hsic_rbf", "cosine", "none")
FEWEST = 4  # live records that HSIC_u needs


def disentangle(
    shared: Float[Array, "batch width"],
    specific: Float[Array, "batch width"],
    live: Bool[Array, "batch"],
    *,
    kind: str,  # one of DISENTANGLINGS but "none"
) -> Float[Array, ""]:
    """Square of the normalised HSIC, or mean cos^2; 0 when fewer than 4 records are live."""
    if kind == "hsic_linear":
        dependence = normalised_hsic(shared, specific, live) ** 2
    elif kind == "hsic_rbf":
        dependence = normalised_hsic_rbf(shared, specific, live) ** 2
    elif kind == "cosine":
        dependence = squared_cosine(shared, specific, live)
    else:
        raise ValueError(f'no disentangling "{kind}"; there are {", ".join(DISENTANGLINGS)}')
    return jnp.where(live.sum() >= FEWEST, dependence, 0.0)


def hsic_unbiased(
    k: Float[Array, "batch batch"], h: Float[Array, "batch batch"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """HSIC_u of two kernel matrices over the live records (Song et al. 2012, equation 5); needs at least 4."""
    n = jnp.maximum(live.sum(), FEWEST).astype(k.dtype)
    off_diagonal = (live[:, None] & live[None, :]) & ~jnp.eye(len(live), dtype=bool)
    k = jnp.where(off_diagonal, k, 0)
    h = jnp.where(off_diagonal, h, 0)
    k_rows, h_rows = k.sum(1), h.sum(1)
    total = (k * h).sum() + k_rows.sum() * h_rows.sum() / ((n - 1) * (n - 2))
    return (total - 2 / (n - 2) * (k_rows @ h_rows)) / (n * (n - 3))


def normalised(
    k: Float[Array, "batch batch"], h: Float[Array, "batch batch"], live: Bool[Array, "batch"], floor: float
) -> Float[Array, ""]:
    """HSIC_u(k, h) / sqrt(HSIC_u(k, k) HSIC_u(h, h)), `floor` under the root."""
    scale = hsic_unbiased(k, k, live) * hsic_unbiased(h, h, live)
    return hsic_unbiased(k, h, live) * jax.lax.rsqrt(jnp.maximum(scale, floor))


def normalised_hsic(
    x: Float[Array, "batch width_x"], y: Float[Array, "batch width_y"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """With linear kernels (the debiased CKA): near 0 for independent features, 1 for rotated copies."""
    x, y = standardise(x, live), standardise(y, live)
    return normalised(x @ x.T, y @ y.T, live, 1e-6)


def normalised_hsic_rbf(
    x: Float[Array, "batch width_x"], y: Float[Array, "batch width_y"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """With Gaussian kernels. In many dimensions all distances are alike and little but linear dependence is seen."""
    k, h = (rbf_kernel(standardise(z, live), live) for z in (x, y))
    # Entries vary by a few hundredths where a linear kernel's vary by sqrt(width): another floor.
    return normalised(k, h, live, 1e-12)


def rbf_kernel(x: Float[Array, "batch width"], live: Bool[Array, "batch"]) -> Float[Array, "batch batch"]:
    """exp(-d^2 / (2 s^2)) - exp(-1/2), s^2 = the median of d^2 over pairs of live records, without a gradient.

    HSIC_u does not see what is subtracted; float32 does, since most entries are close to it.
    """
    square = (x * x).sum(1)
    distance = jnp.maximum(square[:, None] + square[None, :] - 2 * x @ x.T, 0)
    pair = (live[:, None] & live[None, :]) & ~jnp.eye(len(live), dtype=bool)
    median = jnp.nanmedian(jnp.where(pair, jax.lax.stop_gradient(distance), jnp.nan))
    bandwidth = jnp.maximum(jnp.nan_to_num(median, nan=1.0), 1e-6)
    return jnp.exp(-distance / (2 * bandwidth)) - jnp.exp(-0.5)


def squared_cosine(
    x: Float[Array, "batch width"], y: Float[Array, "batch width"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """Mean over the live records of cos^2 of the batch-centred vectors; 1 / width for independent ones."""
    x, y = centre(x, live), centre(y, live)
    scale = (x * x).sum(1) * (y * y).sum(1)
    return masked_average((x * y).sum(1) ** 2 / jnp.maximum(scale, 1e-12), live)


def centre(x: Float[Array, "batch width"], live: Bool[Array, "batch"]) -> Float[Array, "batch width"]:
    """Zero mean of each column over the live records; the others become 0."""
    keep = live[:, None]
    return jnp.where(keep, x - jnp.where(keep, x, 0).sum(0) / jnp.maximum(live.sum(), 1), 0)


def standardise(x: Float[Array, "batch width"], live: Bool[Array, "batch"]) -> Float[Array, "batch width"]:
    """Zero mean and unit variance of each column over the live records; the others become 0."""
    x = centre(x, live)
    return x * jax.lax.rsqrt((x**2).sum(0) / jnp.maximum(live.sum(), 1) + 1e-6)
