"""The method contract: what the loop, the sharding and the evaluation know of a method.

See docs/design.md, "Methods".
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.models.masking.slots import Slots

# Learning rate of a parameter as a share of the config's; several: one for each entry of its first axis.
RateFactor = float | tuple[float, ...]
Draws = Any  # a method's own pytree of arrays: masks, masked positions, scheduled weights


class Variables(NamedTuple):
    """Everything a method learns (`params`) or tracks (`state`, e.g. running statistics)."""

    params: dict
    state: dict


class Aux(NamedTuple):
    """Beside the loss: the new `state` and the named scalar `terms` that are logged."""

    state: dict
    terms: dict[str, Float[Array, ""]]


class TokenStates(NamedTuple):
    """Result of `ecg_token_states`: what the encoder makes of each patch of each lead, 0 where there is no token."""

    states: Float[Array, "batch lead patch width"]
    valid: Bool[Array, "batch lead patch"]


class Level(NamedTuple):
    """Parameters of an encoder by their place on the way from the input (level 0) to the feature (the last level).

    A parameter of several levels holds one block of each on its first axis.
    """

    path: str  # regular expression for the beginning of their paths
    first: int
    last: int


class InTraining(NamedTuple):
    """Result of `ecg_in_training`: the feature `main`, the tokens, and the new running statistics."""

    main: Float[Array, "batch feature"]
    tokens: TokenStates
    state: dict


class Reconstruction(NamedTuple):
    """Result of `reconstruct`: the recording with its hidden patches predicted, and which those are."""

    signal_mv: Float[Array, "batch lead time"]
    hidden: Bool[Array, "batch lead patch"]


@dataclass(frozen=True)
class Declared:
    """Abilities of a method beside training. Callers ask here first; a method has no function that it does not declare.

    `recordings`: it is an Embedder. `text`: it is a TextEmbedder, and its `embed_ecg` has the feature `aligned`, which
    is compared with texts: zero-shot scores, retrieval and nearest reports follow from the two (methods/zero_shot.py).

    `reconstructs`: `reconstruct(variables, batch, draws) -> Reconstruction`; its config has `masking` and
    `lead_dropout`, which the evaluation sets. `shared_specific`: `embed_ecg` has `shared` and `specific`,
    `embed_text_parts(variables, tokens, token_mask)` has both and `aligned` of texts, and `temperature(variables)` is
    that of its alignment. `text_states`: `text_states(variables, tokens, token_mask) -> [text, token, width]`, those of
    the text encoder alone. `tokens`: it is `Tokenized`, and its `embed_ecg(variables, batch, seen)` too takes the
    tokens that the encoder sees; `joint_leads`: each token is of all leads together, they have one place on the axis of
    leads, and all are always seen. `tracks`: it is `Tracked`. `queries`: it is a `Queried`, which answers texts by
    itself, beside the space of `aligned`. `delineates`: it is a `Delineator`.

    `levels`: blocks of the encoder from level 1 on, the first path that matches counts; a parameter that none names
    stands before them, at level 0. Empty: the encoder has no blocks that could be trained in part.

    `text_columns`: per-text tables that `loss` reads from `batch.text_columns`; `record_columns`: per-record ones, from
    `batch.record_columns` (data/record_columns.py). `rate_factors`: rules for the optimiser (regex on the parameter
    path, factor) that come before the config's; factor 0 = never updated, and of the entries of a parameter that are
    not updated `loss` gives no gradient.
    """

    recordings: bool
    text: bool
    reconstructs: bool = False
    shared_specific: bool = False
    text_states: bool = False
    tokens: bool = False
    joint_leads: bool = False
    tracks: bool = False
    queries: bool = False
    delineates: bool = False
    levels: tuple[Level, ...] = ()
    text_columns: tuple[str, ...] = ()
    record_columns: tuple[str, ...] = ()
    rate_factors: tuple[tuple[str, RateFactor], ...] = ()


@runtime_checkable
class Objective(Protocol):
    """A method as the loop trains it. Stateless; every array is explicit."""

    declared: Declared

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables: ...

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> Draws:
        """Everything random or scheduled in one step; `progress` = step / steps."""
        ...

    def loss(
        self, variables: Variables, batch: Batch, draws: Draws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]: ...


@runtime_checkable
class Embedder(Protocol):
    """A method as it is used after training; one that declares `recordings`."""

    declared: Declared

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """Features by name, the usual one `main`; deterministic, each record by itself."""
        ...


@runtime_checkable
class Tokenized(Protocol):
    """A method that declares `tokens`: its encoder has one for each lead and patch, or for each patch of all leads."""

    declared: Declared

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables: ...

    def ecg_token_states(self, variables: Variables, batch: Batch, seen: Slots | None = None) -> TokenStates:
        """Deterministic, each record by itself; of the tokens that are seen, by default all."""
        ...


@runtime_checkable
class Tracked(Protocol):
    """A method that declares `tracks`: in training, norms of its encoder take the batch and move running statistics."""

    declared: Declared

    def ecg_in_training(self, variables: Variables, batch: Batch, trained_from: int) -> InTraining:
        """As a step of training has it; norms below that level take the running statistics, which stay."""
        ...


@runtime_checkable
class Delineator(Objective, Protocol):
    """A method that declares `delineates`: it learns the record column `waves` and tells P, QRS and T."""

    def wave_logits(self, variables: Variables, batch: Batch) -> Float[Array, "batch lead time klass"]:
        """Logits of none, P, QRS and T for each sample of each lead; deterministic, each record by itself."""
        ...


@runtime_checkable
class TextEmbedder(Protocol):
    """A method that declares `text`."""

    declared: Declared

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        """Vectors in the space of the feature `aligned`; each text by itself."""
        ...


@runtime_checkable
class Queried(Protocol):
    """A method that declares `queries`: a text, such as the name of a finding, is a question to each recording."""

    declared: Declared

    @property
    def entity_names(self) -> tuple[str, ...]:
        """Names that it was trained to answer."""
        ...

    def query_texts(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text vector"]:
        """Questions as vectors; each text by itself."""
        ...

    def query_ecg(
        self, variables: Variables, batch: Batch, queries: Float[Array, "text vector"]
    ) -> Float[Array, "batch text"]:
        """Logit of "yes" for each recording and question; each of both by itself."""
        ...


Method = Objective  # every method trains; what else it is, it declares
