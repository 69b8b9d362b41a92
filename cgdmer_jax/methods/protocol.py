"""The method contract: what the loop, the sharding and the evaluation know of a method.

See docs/design.md, "Methods".
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch

Draws = Any  # a method's own pytree of arrays: masks, masked positions, scheduled weights


class Variables(NamedTuple):
    """Everything a method learns (`params`) or tracks (`state`, e.g. running statistics)."""

    params: dict
    state: dict


class Aux(NamedTuple):
    """Beside the loss: the new `state` and the named scalar `terms` that are logged."""

    state: dict
    terms: dict[str, Float[Array, ""]]


class Reconstruction(NamedTuple):
    """What `reconstruct` gives: the recording with its hidden patches predicted, and which those are."""

    signal_mv: Float[Array, "batch lead time"]
    hidden: Bool[Array, "batch lead patch"]


def text_columns_of(method: "Method") -> tuple[str, ...]:
    """Names of the per-text tables that the method's loss reads; () when it says nothing of them."""
    return getattr(method, "text_columns", ())


def record_columns_of(method: "Method") -> tuple[str, ...]:
    """Names of the per-record tables that the method's loss reads (data/record_columns.py); () when it says nothing."""
    return getattr(method, "record_columns", ())


def rate_factors_of(method: "Method") -> tuple[tuple[str, float], ...]:
    """The method's own rules for the optimiser; () when it has none."""
    return getattr(method, "rate_factors", ())


@runtime_checkable
class Method(Protocol):
    """Stateless; every array is explicit.

    Optional, asked by name: `reconstruct(variables, batch, draws) -> Reconstruction`, `ecg_tokens`;
    `text_columns`, names of the per-text tables that `loss` reads from `batch.text_columns`; `record_columns`, the
    same of per-record tables, from `batch.record_columns`; `rate_factors`, rules for the optimiser (regex on the
    parameter path, factor) that come before the config's: factor 0 = never updated.
    """

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables: ...

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> Draws:
        """Everything random or scheduled in one step; `progress` = step / steps."""
        ...

    def loss(
        self, variables: Variables, batch: Batch, draws: Draws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]: ...

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """Features by name, among them `aligned`; deterministic, each record by itself."""
        ...

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]: ...

    def zero_shot_scores(
        self,
        variables: Variables,
        batch: Batch,
        tokens: Int32[Array, "klass prompt token"],
        token_mask: Bool[Array, "klass prompt token"],
    ) -> Float[Array, "batch klass"]: ...
