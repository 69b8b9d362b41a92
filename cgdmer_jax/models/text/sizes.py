"""Sizes of a pretrained text encoder: which values a config.json, theirs or that of a run or model folder, may have."""

from dataclasses import dataclass

from cgdmer_jax.fields import REQUIRED, Checked, setting
from cgdmer_jax.models.text.states import ACTIVATIONS
from cgdmer_jax.models.transformer import DEEPEST, WIDEST

MOST_WORDS, MOST_POSITIONS, WIDEST_MLP = 1 << 24, 1 << 20, 1 << 18
WHERE = "config.method.text_architecture"


@dataclass(frozen=True)
class BertSizes(Checked):
    """Arguments of `BertEncoder`, which says what they are."""

    where = WHERE

    vocabulary: int = setting(REQUIRED, "tokens that have an embedding", least=1, most=MOST_WORDS)
    max_tokens: int = setting(REQUIRED, "tokens of the longest text", least=1, most=MOST_POSITIONS)
    token_types: int = setting(REQUIRED, "types of a token", least=1, most=WIDEST)
    width: int = setting(REQUIRED, "width of its tokens", least=1, most=WIDEST)
    depth: int = setting(REQUIRED, "number of its blocks", least=1, most=DEEPEST)
    heads: int = setting(REQUIRED, "attention heads of each block", least=1, most=WIDEST)
    hidden: int = setting(REQUIRED, "width inside of an MLP", least=1, most=WIDEST_MLP)
    activation: str = setting(REQUIRED, "function inside of an MLP", choices=ACTIVATIONS)
    epsilon: float = setting(REQUIRED, "what a norm adds to a variance", above=0, below=1)
    counted_from: int | None = setting(None, "pad id from which positions are counted", least=0, most=MOST_WORDS)
    pooler: bool = setting(True, "whether it has a pooler")

    def fault(self) -> str | None:
        if self.width % self.heads:
            return f"has {self.heads} heads, which do not divide its width {self.width}"
        return None


@dataclass(frozen=True)
class T5Sizes(Checked):
    """Arguments of `T5Encoder`, which says what they are."""

    where = WHERE

    vocabulary: int = setting(REQUIRED, "tokens that have an embedding", least=1, most=MOST_WORDS)
    width: int = setting(REQUIRED, "width of its tokens", least=1, most=WIDEST)
    depth: int = setting(REQUIRED, "number of its blocks", least=1, most=DEEPEST)
    heads: int = setting(REQUIRED, "attention heads of each block", least=1, most=WIDEST)
    head_width: int = setting(REQUIRED, "width of a head", least=1, most=WIDEST)
    hidden: int = setting(REQUIRED, "width inside of an MLP", least=1, most=WIDEST_MLP)
    activation: str = setting(REQUIRED, "function inside of an MLP", choices=ACTIVATIONS)
    gated: bool = setting(REQUIRED, "whether the MLP is gated")
    buckets: int = setting(REQUIRED, "buckets of relative positions", least=4, most=WIDEST)
    max_distance: int = setting(REQUIRED, "distance from which the last bucket counts", least=2, most=MOST_POSITIONS)
    epsilon: float = setting(REQUIRED, "what a norm adds to a square", above=0, below=1)

    def fault(self) -> str | None:
        if self.max_distance <= self.buckets // 4:  # the logarithm of their ratio is divided by
            return f"has max_distance {self.max_distance}, too little for {self.buckets} buckets"
        return None


@dataclass(frozen=True)
class Beside(Checked):
    """Facts that a run keeps of its text encoder beside the sizes: marks of the tokenizer, and its first weights."""

    where = WHERE

    mask_id: int = setting(REQUIRED, "token in place of a hidden word", least=0, most=MOST_WORDS)
    special_ids: tuple[int, ...] = setting(REQUIRED, "tokens that are no words", least=0, most=MOST_WORDS)
    weights_sha256: str = setting("", "hash of the weights")


SIZES = {"bert": BertSizes, "t5": T5Sizes}
