"""Dense layer and layer norm: float32 parameters, computed in `dtype`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

PRODUCT = "product"  # what the remat policy `dots` keeps: it can't see products inside a custom derivative


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
    ones = jnp.ones((1, x.shape[0]), d_out.dtype)
    return d_out @ kernel.T, x.T @ d_out, (ones @ d_out)[0]


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
    """Linear map of the last axis; its kernel starts at `start` times Glorot's uniform draw, its bias at 0."""

    features: int
    dtype: str = "float32"
    start: float = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "*axes in"]) -> Float[Array, "*axes out"]:
        kernel = self.param("kernel", self._first_kernel, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        flat = x.reshape(-1, x.shape[-1]).astype(self.dtype)
        out = checkpoint_name(affine(flat, kernel.astype(self.dtype), bias.astype(self.dtype)), PRODUCT)
        return out.reshape(*x.shape[:-1], self.features)

    def _first_kernel(self, key, shape):
        return self.start * nn.initializers.xavier_uniform()(key, shape)


class LayerNorm(nn.Module):
    """Layer normalisation of the last axis, in float32 at least, whatever the compute dtype."""

    dtype: str = "float32"
    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Float[Array, "*axes width"]) -> Float[Array, "*axes width"]:
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros_init(), (x.shape[-1],))
        x = precise(x)
        centred = x - x.mean(-1, keepdims=True)
        normed = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        return (normed * scale + bias).astype(self.dtype)
