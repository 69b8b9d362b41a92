"""A pretrained text encoder inside a method: from plain values, frozen in part, pooled to one vector.

Its parameters stand under `text_tower` in every method. The first blocks, when frozen, are a stack of their own, so
that whole arrays are either trained or not.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.fields import from_fields, hints_of
from cgdmer_jax.models.masking.words import Marks
from cgdmer_jax.models.text.bert import BertEncoder
from cgdmer_jax.models.text.sizes import SIZES, WHERE, Beside
from cgdmer_jax.models.text.states import TextStates, mean_of_tokens
from cgdmer_jax.models.text.t5 import T5Encoder
from cgdmer_jax.models.transformer import Compute

NAME = "text_tower"
TextModule = BertEncoder | T5Encoder
KINDS = {"bert": BertEncoder, "t5": T5Encoder}
POOLINGS = ("mean", "cls", "pooler")
ALL = -1  # of `trained`: every parameter of the tower
# Before the first block: trained with all of the tower only.
_BEFORE_BLOCKS = {"bert": ("token", "position", "token_type", "norm"), "t5": ("token", "relative")}
_UNSAID = {"bert": {"counted_from": None, "pooler": True}, "t5": {}}  # of an earlier version
_NO_ARCHITECTURE = {"compute", "frozen", "parent", "name"}


def describe(module: TextModule) -> dict[str, object]:
    """The architecture as plain values, with its kind."""
    names = [field.name for field in dataclasses.fields(module) if field.name not in _NO_ARCHITECTURE]
    return {"kind": _kind(module)} | {name: getattr(module, name) for name in names}


def make_tower(architecture: Mapping[str, object], *, trained: int, compute: Compute) -> TextModule:
    """The encoder of `describe`, of which the last `trained` blocks are trained (0 = nothing, ALL = everything)."""
    kind = architecture.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CgdmerError(f'{WHERE}.kind is "{kind}".{suggest(str(kind), KINDS)}')
    of_module = {name: value for name, value in architecture.items() if name not in ("kind", *hints_of(Beside))}
    sizes = from_fields(SIZES[kind], _UNSAID[kind] | of_module)
    if fault := sizes.fault():
        raise CgdmerError(f"{WHERE} {fault}")
    fields, depth = dataclasses.asdict(sizes), sizes.depth
    if not ALL <= trained <= depth:
        raise CgdmerError(
            f"config.method.text_trained is {trained}, the text encoder has {depth} blocks; give the number of its "
            f"last blocks to train (0 = none), or {ALL} for all of it"
        )
    frozen = 0 if trained == ALL else depth - trained
    return KINDS[kind](**fields, compute=compute, frozen=frozen)


def marks_of(architecture: Mapping[str, object]) -> Marks:
    """Token that replaces a hidden word, and the tokens that are not words."""
    beside = from_fields(Beside, {name: architecture[name] for name in hints_of(Beside) if name in architecture})
    if beside.mask_id >= architecture["vocabulary"]:
        raise CgdmerError(
            f"{WHERE}.mask_id is {beside.mask_id}, but the encoder has embeddings for ids below "
            f"{architecture['vocabulary']}"
        )
    return Marks(beside.mask_id, beside.special_ids)


def frozen_pattern(module: TextModule, trained: int, *, pooler: bool) -> str | None:
    """Regular expression of the paths of all parameters that stay as they were given; None: there are none.

    `pooler` tells whether the method reads the pooler: one that it does not read would be left to weight decay.
    """
    if trained == 0:
        return f"^{NAME}/"
    names = () if trained == ALL else (*_BEFORE_BLOCKS[_kind(module)], "frozen_blocks")
    if isinstance(module, BertEncoder) and module.pooler and not pooler:
        names += ("pool",)
    return f"^{NAME}/({'|'.join(names)})(/|$)" if names else None


def rate_factors(frozen: str | None, trained: int, factor: float) -> tuple[tuple[str, float], ...]:
    """Rules for the optimiser: factor 0 for what is frozen (a pattern), `factor` for the rest of the tower."""
    rules = () if frozen is None else ((frozen, 0.0),)
    return rules if trained == 0 else (*rules, (f"^{NAME}/", factor))


def split_blocks(params: dict, frozen: int) -> dict:
    """Parameters with one stack of blocks -> those of a tower whose first `frozen` blocks stand apart."""
    rest = {name: value for name, value in params.items() if name != "blocks"}
    depth = len(jax.tree.leaves(params["blocks"])[0])
    if frozen > 0:
        rest["frozen_blocks"] = jax.tree.map(lambda x: x[:frozen], params["blocks"])
    if frozen < depth:
        rest["blocks"] = jax.tree.map(lambda x: x[frozen:], params["blocks"])
    return rest


def n_frozen(params: dict) -> int:
    """Number of blocks whose parameters are stored one by one."""
    return len(jax.tree.leaves(params["frozen_blocks"])[0]) if "frozen_blocks" in params else 0


def join_blocks(params: dict) -> dict:
    """The reverse of `split_blocks`."""
    rest = {name: value for name, value in params.items() if name not in ("blocks", "frozen_blocks")}
    stacks = [params[name] for name in ("frozen_blocks", "blocks") if name in params]
    return rest | {"blocks": jax.tree.map(lambda *x: jnp.concatenate(x), *stacks)}


def pool(states: TextStates, length: Int[Array, "batch"], pooling: str) -> Float[Array, "batch width"]:
    """One vector a text, float32: the mean of its tokens, its first token, or BERT's pooler."""
    if pooling == "mean":
        return mean_of_tokens(states.tokens, length)
    if pooling == "cls":
        return states.tokens[:, 0].astype(jnp.float32)
    if pooling != "pooler":
        raise CgdmerError(f'pooling is "{pooling}".{suggest(pooling, POOLINGS)}')
    if states.pooled is None:
        raise CgdmerError("this text encoder has no pooler; choose the pooling mean or cls")
    return states.pooled.astype(jnp.float32)


def _kind(module: TextModule) -> str:
    return next(kind for kind, of in KINDS.items() if isinstance(module, of))
