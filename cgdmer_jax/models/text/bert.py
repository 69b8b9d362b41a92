"""BERT's encoder (Devlin et al. 2019), and RoBERTa's, which differs in where positions begin to count."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.models.dense import Dense, LayerNorm
from cgdmer_jax.models.text.states import ACTIVATIONS, TextStates, tied_logits
from cgdmer_jax.models.transformer import Attention, Compute, scanned


def positions(tokens: Int32[Array, "batch token"], counted_from: int | None) -> Int[Array, "row token"]:
    """Rows of the position table; see `BertEncoder.counted_from`."""
    if counted_from is None:
        return jnp.arange(tokens.shape[1])[None, :]
    counted = tokens != counted_from
    return counted_from + jnp.cumsum(counted, axis=1) * counted


class BertBlock(nn.Module):
    """Post-norm: each branch is added to the stream, then the sum is normed."""

    heads: int
    hidden: int
    activation: str
    epsilon: float
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"], length: Int[Array, "batch"]):
        branch = Attention(self.heads, self.compute, name="attention")(x, x, length)
        x = self._normed_sum(x, branch, "norm_attention")
        up = ACTIVATIONS[self.activation](Dense(self.hidden, self.compute.dtype, name="up")(x))
        branch = Dense(x.shape[-1], self.compute.dtype, name="down")(up)
        return self._normed_sum(x, branch, "norm_mlp"), None

    def _normed_sum(self, x, branch, name: str):
        total = x.astype(jnp.float32) + branch.astype(jnp.float32)  # half precision would round before the norm
        return LayerNorm(self.compute.dtype, self.epsilon, name=name)(total)


class BertEncoder(nn.Module):
    """Token, position and type embeddings, a norm, post-norm blocks, and the pooler if the model has one.

    `max_tokens`: the longest text. `counted_from`: None = the first token has position 0 (BERT); pad id p = positions
    count from p + 1 over the tokens that are not p, which themselves have position p (RoBERTa, XLM-R).
    """

    vocabulary: int
    max_tokens: int
    token_types: int
    width: int
    depth: int
    heads: int
    hidden: int
    activation: str
    epsilon: float
    counted_from: int | None = None
    pooler: bool = True
    compute: Compute = Compute()
    frozen: int = 0  # so many first blocks are a stack of their own, `frozen_blocks` (models/text_tower.py)

    def setup(self):
        normal = nn.initializers.normal(0.02)
        n_positions = self.max_tokens + (0 if self.counted_from is None else self.counted_from + 1)
        self.token = self.param("token", normal, (self.vocabulary, self.width))
        self.position = self.param("position", normal, (n_positions, self.width))
        self.token_type = self.param("token_type", normal, (self.token_types, self.width))
        self.norm = LayerNorm(self.compute.dtype, self.epsilon)
        if self.frozen > 0:
            self.frozen_blocks = self._stack(self.frozen)
        if self.frozen < self.depth:
            self.blocks = self._stack(self.depth - self.frozen)
        if self.pooler:
            self.pool = Dense(self.width, self.compute.dtype)

    def __call__(
        self,
        tokens: Int32[Array, "batch token"],
        length: Int[Array, "batch"],
        token_types: Int32[Array, "batch token"] | None = None,
    ) -> TextStates:
        if tokens.shape[1] > self.max_tokens:  # a gather would take the last position again and again, in silence
            raise CgdmerError(
                f"texts of {tokens.shape[1]} tokens, but this text encoder has positions for {self.max_tokens}; "
                f"cut them to {self.max_tokens} tokens"
            )
        types = self.token_type[0] if token_types is None else self.token_type[token_types]
        x = self.token[tokens] + types + self.position[positions(tokens, self.counted_from)]
        x = self.norm(x)
        if self.frozen > 0:
            x, _ = self.frozen_blocks(x, length)
        if self.frozen < self.depth:
            x, _ = self.blocks(x, length)
        return TextStates(x, jnp.tanh(self.pool(x[:, 0])) if self.pooler else None)

    def token_logits(self, x: Float[Array, "batch slot width"]) -> Float[Array, "batch slot vocabulary"]:
        """Logits over the vocabulary, tied to the token embeddings."""
        return tied_logits(x, self.token)

    def _stack(self, depth: int):
        blocks = scanned(BertBlock, depth, self.compute, n_constants=1, initializing=self.is_initializing())
        return blocks(self.heads, self.hidden, self.activation, self.epsilon, self.compute)
