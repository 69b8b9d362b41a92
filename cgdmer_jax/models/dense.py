"""Dense layer and layer norm: float32 parameters, computed in `dtype`."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

# torch's own start of a linear map or a convolution: uniform within 1 / sqrt(fan in).
TORCH_START = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
PRODUCT = "product"  # what the remat policy `dots` keeps: it can't see products inside a custom derivative


def sum_of_rows(x: Float[Array, "*axes width"]) -> Float[Array, "width"]:
    """The sum over all axes but the last as a matrix product, which XLA's CPU backend does faster than a reduction."""
    flat = x.reshape(-1, x.shape[-1])
    return jnp.matmul(jnp.ones((1, len(flat)), x.dtype), flat, precision=jax.lax.Precision.HIGHEST)[0]


@jax.custom_vjp
def affine(x: Float[Array, "row in"], kernel: Float[Array, "in out"], bias: Float[Array, "out"]):
    """x @ kernel + bias on 2-D activations, the bias gradient as a matrix product.

    XLA's CPU backend is slow with 3-D activations and with the bias reduction; avoiding both was the largest single
    gain in a training step on two CPU cores.
    """
    return x @ kernel + bias


def _affine_forward(x, kernel, bias):
    return affine(x, kernel, bias), (x, kernel)


def _affine_backward(saved, d_out):
    x, kernel = saved
    return d_out @ kernel.T, x.T @ d_out, sum_of_rows(d_out)


affine.defvjp(_affine_forward, _affine_backward)


@jax.custom_vjp
def gelu(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """GELU by tanh (erf costs 6-11 % of a CPU step); its backward pass keeps x alone and computes the rest again."""
    return nn.gelu(x, approximate=True)


def _gelu_forward(x):
    return gelu(x), x


def _gelu_backward(x, d_out):
    x, d_out = jax.lax.optimization_barrier((x, d_out))  # else XLA keeps the forward pass's parts instead
    return jax.vjp(lambda t: nn.gelu(t, approximate=True), x)[1](d_out)


gelu.defvjp(_gelu_forward, _gelu_backward)


def precise(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """At least float32: what norms, softmax, means and losses are computed in."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


class Dense(nn.Module):
    """Linear map of the last axis; its kernel starts at `start` times Glorot's uniform draw, its bias at 0.

    Where `start` is None, both start as those of torch's Linear: uniform within 1 / sqrt(inputs).
    """

    features: int
    dtype: str = "float32"
    start: float | None = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "*axes in"]) -> Float[Array, "*axes out"]:
        kernel = self.param("kernel", self._first_kernel, (x.shape[-1], self.features))
        bias = self.param("bias", self._first_bias, (self.features,), x.shape[-1])
        flat = x.reshape(-1, x.shape[-1]).astype(self.dtype)
        out = checkpoint_name(affine(flat, kernel.astype(self.dtype), bias.astype(self.dtype)), PRODUCT)
        return out.reshape(*x.shape[:-1], self.features)

    def _first_kernel(self, key, shape):
        if self.start is None:
            return TORCH_START(key, shape)
        return self.start * nn.initializers.xavier_uniform()(key, shape)

    def _first_bias(self, key, shape, inputs):
        if self.start is None:
            bound = inputs**-0.5
            return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
        return jnp.zeros(shape)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def layer_norm(
    x: Float[Array, "*axes width"], scale: Float[Array, "width"], bias: Float[Array, "width"], epsilon: float
) -> Float[Array, "*axes width"]:
    """Layer normalisation of the last axis in float32 at least; its backward pass keeps x and computes the rest again.

    On a CPU what is kept costs more than what is computed: a step takes its memory anew each time.
    """
    return _normed(x, epsilon)[0] * scale + bias


def _normed(x, epsilon):
    x = precise(x)
    centred = x - x.mean(-1, keepdims=True)
    inverse = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return centred * inverse, inverse


def _layer_norm_forward(x, scale, bias, epsilon):
    return layer_norm(x, scale, bias, epsilon), (x, scale)


def _layer_norm_backward(epsilon, saved, d_out):
    (x, scale), d_out = jax.lax.optimization_barrier((saved, d_out))
    normed, inverse = _normed(x, epsilon)
    d_normed = d_out * scale
    along = (d_normed * normed).mean(-1, keepdims=True)
    d_x = inverse * (d_normed - d_normed.mean(-1, keepdims=True) - normed * along)
    return d_x.astype(x.dtype), sum_of_rows(d_out * normed), sum_of_rows(d_out)


layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


class LayerNorm(nn.Module):
    """Layer normalisation of the last axis, in float32 at least, whatever the compute dtype."""

    dtype: str = "float32"
    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Float[Array, "*axes width"]) -> Float[Array, "*axes width"]:
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros_init(), (x.shape[-1],))
        return layer_norm(x, scale, bias, self.epsilon).astype(self.dtype)
