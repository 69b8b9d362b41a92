"""What the pretrained text encoders give, their activations, and the mean over a text's tokens."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

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
    """Mean over the first `length` tokens, in float32; zero for a text without any."""
    live = jnp.arange(x.shape[1])[None, :] < length[:, None]
    total = jnp.where(live[..., None], x.astype(jnp.float32), 0).sum(1)
    return total / jnp.maximum(length[:, None].astype(jnp.float32), epsilon)
