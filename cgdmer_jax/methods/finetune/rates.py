"""Learning rates of an encoder: what of it is trained, and the less the further a block lies from the head."""

import re
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.config import ALL, HEAD_ALONE, SCRATCH, FinetuneConfig
from cgdmer_jax.methods.protocol import Level, RateFactor

Factors = dict[str, RateFactor]  # by the parameter's path, "ecg_encoder/patch/kernel"


def rate_factors(config: FinetuneConfig, levels: tuple[Level, ...], paths: Iterable[str]) -> Factors:
    """Factor of each parameter of the encoder; 0 = it stays as it is.

    A pretrained encoder has its multiplier at the last block and `layer_decay` times as much with each level further
    down. From scratch there is nothing to keep: all of it learns at the head's rate.
    """
    depth = n_blocks(config, levels)
    base, decay = (1.0, 1.0) if config.init == SCRATCH else (config.encoder_lr_multiplier, config.layer_decay)

    def factor(level: int) -> float:
        return base * decay ** (depth - level) if level >= trained_from(config, levels) else 0.0

    def of_parameter(path: str) -> RateFactor:
        at = next((level for level in levels if re.match(level.path, path)), Level("", 0, 0))
        factors = tuple(map(factor, range(at.first, at.last + 1)))
        return factors if len(set(factors)) > 1 else factors[0]

    return {path: of_parameter(path) for path in paths}


def trained_from(config: FinetuneConfig, levels: tuple[Level, ...]) -> int:
    """First level that is trained: 0 = everything; one above the last = the head alone."""
    return 0 if config.trained == ALL else n_blocks(config, levels) + 1 - config.trained


def n_blocks(config: FinetuneConfig, levels: tuple[Level, ...]) -> int:
    """Number of the encoder's blocks, of which the config must not ask for more; 0 where none are told apart."""
    n = max((level.last for level in levels), default=0)
    in_part = config.trained not in (ALL, HEAD_ALONE)
    if not n and (in_part or config.layer_decay != 1):
        raise CgdmerError(
            f"the encoder is of {config.encoder_name}, whose blocks are not told apart; leave "
            f"config.method.encoder_trained at {ALL} or {HEAD_ALONE}, and layer_decay at 1"
        )
    if config.trained > n and in_part:
        raise CgdmerError(
            f"config.method.encoder_trained is {config.trained}, the encoder has {n} blocks; give the number of its "
            f"last blocks to train ({HEAD_ALONE} = the head alone), or {ALL} for all of it"
        )
    return n


def as_rules(factors: Factors, part: str) -> tuple[tuple[str, RateFactor], ...]:
    """For the optimiser, where the encoder's parameters stand under that name."""
    if len(set(factors.values())) == 1:
        (factor,) = set(factors.values())
        return () if factor == 1 else ((f"^{part}/", factor),)
    return tuple((f"^{part}/{re.escape(path)}$", factor) for path, factor in factors.items())


def held(params: dict, factors: Factors) -> dict:
    """The same values; what has factor 0 gives no gradient."""

    def hold(path: str, leaf):
        factor = factors[path]
        if not isinstance(factor, tuple):
            return leaf if factor else jax.lax.stop_gradient(leaf)
        moves = jnp.array([one != 0 for one in factor]).reshape(-1, *[1] * (leaf.ndim - 1))
        return jnp.where(moves, leaf, jax.lax.stop_gradient(leaf))

    flat = flatten_dict(params, sep="/")
    return unflatten_dict({path: hold(path, leaf) for path, leaf in flat.items()}, sep="/")
