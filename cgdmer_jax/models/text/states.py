"""Outputs of the pretrained text encoders: activations, the mean over a text's tokens, word logits."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.models.dense import precise

# Names as in a Hugging Face config. BERT's "gelu" is the exact one (erf), T5 v1.1 and Flan-T5 were trained with tanh.
ACTIVATIONS: dict[str, Callable] = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "relu": jax.nn.relu,
}


class TextStates(NamedTuple):
    """Last hidden state, in the compute dtype; rows at and beyond a text's length mean nothing."""

    tokens: Float[Array, "batch token width"]
    pooled: Float[Array, "batch width"] | None  # BERT's pooler; None where the model has none


def mean_of_tokens(
    x: Float[Array, "batch token width"], length: Int[Array, "batch"], epsilon: float = 1e-9
) -> Float[Array, "batch width"]:
    """Mean over the first `length` tokens, in float32 at least; zero for a text without any."""
    live = jnp.arange(x.shape[1])[None, :] < length[:, None]
    total = jnp.where(live[..., None], precise(x), 0).sum(1)
    return total / jnp.maximum(length[:, None].astype(total.dtype), epsilon)


def tied_logits(
    x: Float[Array, "batch slot width"], table: Float[Array, "vocabulary width"]
) -> Float[Array, "batch slot vocabulary"]:
    """Products with the token embeddings: a language head without a matrix of its own; float32 at least."""
    flat = x.reshape(-1, x.shape[-1]) @ table.T.astype(x.dtype)
    return precise(flat.reshape(*x.shape[:-1], len(table)))
