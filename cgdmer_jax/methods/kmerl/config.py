"""K-MERL's config fields, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import REQUIRED, Checked, from_fields, setting
from cgdmer_jax.methods.losses.entities import HEDGED
from cgdmer_jax.models.attention import KINDS
from cgdmer_jax.models.ecg.scaling import SCALINGS
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.text.tower import POOLINGS
from cgdmer_jax.models.transformer import DEEPEST, REMAT_POLICIES, WIDEST, Size

DTYPES = ("float32", "bfloat16", "float64")
MOST_LEADS = 12
MOST_ENTITIES, MOST_IDS = 1 << 14, 1 << 24


@dataclass(frozen=True)
class Entities(Checked):
    """Findings that the queries are trained on: names, their tokens, and how often a training report has them."""

    where = "config.method.entities"

    names: tuple[str, ...] = setting(REQUIRED, "in order of the columns of the table beside the store")
    tokens: tuple[tuple[int, ...], ...] = setting(REQUIRED, "word pieces of each name", least=0, most=MOST_IDS)
    shares: tuple[float, ...] = setting(
        REQUIRED, "share of the training reports with a finding in which it is present", least=0, most=1
    )

    def fault(self) -> str | None:
        """A list that is not one of so many names."""
        n = len(self.names)
        if not 1 <= n <= MOST_ENTITIES:
            return f"has {n:,} names; give 1 to {MOST_ENTITIES:,}"
        if len(self.tokens) != n or len(self.shares) != n:
            return f"has {n} names, the tokens of {len(self.tokens)} and the shares of {len(self.shares)}"
        return None if all(self.tokens) else "has a name without tokens"


@dataclass(frozen=True)
class KMerlConfig(Checked):
    """`config.method` of K-MERL: each field's default and meaning. A term of weight 0 is not computed."""

    where = "config.method"

    ecg: Size = setting(Size(192, 12, 3), "lead x time encoder")
    text: Size = setting(Size(192, 4, 3), "report encoder, when it is trained from scratch")
    text_tower: str = setting(
        "", "a pretrained report encoder: a folder or hf://owner/name@revision; empty = from scratch"
    )
    text_architecture: dict = setting({}, "architecture of that encoder; pretrain fills it in from its folder")
    text_trained: int = setting(
        0, "number of its last blocks that are trained; 0 = none, -1 = all of it", least=-1, most=DEEPEST
    )
    text_lr_multiplier: float = setting(0.1, "learning-rate multiplier of its trained parts", above=0)
    text_pooling: str = setting("mean", "from its tokens to one vector", choices=POOLINGS)
    query: Size = setting(Size(256, 4, 4), "query network: a decoder over the tokens of a recording")
    entity_reader: str = setting(
        "phrases", "who read the reports: `phrases`, the phrase table, or a language model that extract_entities asked"
    )
    entities: dict = setting({}, "entities that are asked for; pretrain fills it in from the table beside the stores")
    patch_seconds: float = setting(0.2, "length of a token in seconds", above=0)
    scaling: str = setting("record_std", "how millivolts are scaled", choices=SCALINGS)
    lead_masking: float = setting(0.5, "share of the records that lose leads in a step", least=0, most=1)
    kept_leads: tuple[int, ...] = setting(
        (1, 2, 3), "numbers of leads of which such a record keeps one, drawn at random", least=1, most=MOST_LEADS
    )
    mask_ratio: float = setting(
        0.25, "share of the segments of each lead that is hidden, in each lead on its own", least=0, below=1
    )
    embed_dim: int = setting(256, "width of the aligned space", least=1, most=WIDEST)
    temperature: float = setting(0.07, "temperature of the contrast, fixed", above=0)
    hedged: str = setting("ignored", "how an entity that a report hedges is counted", choices=HEDGED)
    positive_weight: float = setting(
        10.0, "largest weight of a rare entity's positives; 1 = every decision counts alike", least=1
    )
    weight_align: float = setting(1.0, "weight of the contrast of recordings with their reports", least=0)
    weight_entities: float = setting(1.0, "weight of the entities' cross-entropy", least=0)
    dtype: str = setting(
        "float32",
        "of activations and products; losses in float32 at least; float64 for comparisons",
        choices=DTYPES,
    )
    remat: str = setting(
        "none",
        "what the backward pass computes again: nothing, whole blocks, or all but their products",
        choices=REMAT_POLICIES,
    )
    unroll: int = setting(1, "blocks in one turn of the scan over layers", least=1, most=DEEPEST)
    microbatches: int = setting(
        1,
        "number of microbatches in which a batch is computed, one after another: the same loss with less memory",
        least=1,
        most=1 << 20,
    )
    attention: str = setting("auto", "how attention is computed; `auto` chooses by device and dtype", choices=KINDS)

    def __post_init__(self):
        super().__post_init__()
        if not self.kept_leads:
            raise CgdmerError("config.method.kept_leads is empty; give at least one number of leads")
        if bool(self.text_tower) != bool(self.text_architecture):
            raise CgdmerError(
                f'config.method.text_tower is "{self.text_tower}", but text_architecture is '
                f"{self.text_architecture or 'empty'}; give the first alone, experiments.pretrain fills in the second"
            )

    def asked(self) -> Entities:
        """The entities as fields."""
        if not self.entities:
            raise CgdmerError(
                "config.method.entities is empty, and K-MERL asks for entities; experiments.pretrain fills it in from "
                "the table that experiments.extract_entities makes"
            )
        found = from_fields(Entities, self.entities)
        if fault := found.fault():
            raise CgdmerError(f"{Entities.where} {fault}")
        return found


class KMerlDraws(NamedTuple):
    """Everything random in one step."""

    lead_mask: Bool[Array, "batch lead"]  # after leads were taken away
    kept: Slots
