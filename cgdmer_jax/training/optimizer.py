"""AdamW with warm-up, cosine, clipping, decay by rule and learning-rate factors by parameter path."""

import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.methods.protocol import RateFactor
from cgdmer_jax.metrics_file import MOST_STEPS

MATRICES, EVERYTHING = "matrices", "everything"  # of `decayed`
Rules = tuple[tuple[str, RateFactor], ...]  # (regular expression on a parameter's path, factor)
Optimizer = optax.GradientTransformation  # under a name that rooms without optax can use


@dataclass(frozen=True)
class OptimizerConfig(Checked):
    """`config.optimizer`, AdamW with a cosine schedule: each field's default and meaning.

    Schedules count steps, never minutes.
    """

    where = "config.optimizer"

    steps: int = setting(10_000, "optimiser steps in all", least=1, most=MOST_STEPS)
    learning_rate: float = setting(1e-3, "highest learning rate, reached after the warm-up", least=0)
    warmup_fraction: float = setting(
        0.05, "share of the steps over which the learning rate rises from 0", least=0, below=1
    )
    final_fraction: float = setting(0.0, "learning rate of the last step, as a share of the highest", least=0, most=1)
    beta1: float = setting(0.9, "decay of the mean of the gradients", least=0, below=1)
    beta2: float = setting(0.95, "decay of the mean of their squares", least=0, below=1)
    weight_decay: float = setting(0.05, "decoupled weight decay", least=0)
    decayed: str = setting(
        MATRICES,
        "what decays; `everything`, as torch's AdamW has it, is norms, biases and embeddings too",
        choices=(MATRICES, EVERYTHING),
        younger=True,
    )
    clip_norm: float = setting(1.0, "largest norm of the whole gradient; a large number = no clipping", above=0)
    rate_factors: tuple[tuple[str, float], ...] = setting(
        (),
        "(regular expression on a parameter's path, learning-rate factor) pairs; the first that matches counts",
        least=0,
    )


def schedule(config: OptimizerConfig) -> optax.Schedule:
    decay_steps = max(2, config.steps)
    return optax.warmup_cosine_decay_schedule(
        0.0,
        config.learning_rate,
        warmup_steps=min(max(1, round(config.warmup_fraction * config.steps)), decay_steps - 1),
        decay_steps=decay_steps,
        end_value=config.final_fraction * config.learning_rate,
    )


def parameter_path(path: tuple) -> str:
    """'ecg_encoder/encoder/blocks/mlp/up/kernel'."""
    return "/".join(str(entry.key) for entry in path)


def matrices(params: dict) -> dict:
    """True for them only: no norm, bias, embedding, mask token or temperature."""
    return jax.tree_util.tree_map_with_path(lambda path, _: parameter_path(path).endswith("/kernel"), params)


def rate_factor(path: str, rules: Rules) -> RateFactor:
    return next((factor for pattern, factor in rules if re.search(pattern, path)), 1.0)


def make_optimizer(config: OptimizerConfig, params: dict, own: Rules = ()) -> Optimizer:
    """AdamW for these parameters; `own` are the method's rules, which come before the config's.

    What has factor 0 is frozen: no update, no decay, no moments, no part in the gradient's norm for clipping. Where a
    parameter has several factors, those of its entries that are 0 have moments, and stand still all the same.
    """
    rules = (*own, *config.rate_factors)
    _check_rules(rules, params)
    # Chosen inside, since a masked chain sees the moving parameters alone.
    by_factor = optax.stateless(
        lambda updates, _: jax.tree_util.tree_map_with_path(
            lambda path, u: _times(u, rate_factor(parameter_path(path), rules)), updates
        )
    )
    chain = optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.scale_by_adam(config.beta1, config.beta2),
        optax.add_decayed_weights(config.weight_decay, mask=matrices if config.decayed == MATRICES else None),
        by_factor,
        optax.scale_by_learning_rate(schedule(config)),
    )
    moving = jax.tree_util.tree_map_with_path(lambda path, _: rate_factor(parameter_path(path), rules) != 0, params)
    if all(jax.tree.leaves(moving)):
        return chain
    frozen = jax.tree.map(lambda moves: not moves, moving)
    return optax.chain(optax.masked(chain, moving), optax.masked(_stand_still(), frozen))


def _times(update: Float[Array, "*axes"], factor: RateFactor) -> Float[Array, "*axes"]:
    """Several factors are of the entries of the first axis. One that is 0 leaves +0, which the rate makes -0."""
    if not isinstance(factor, tuple):
        return update * factor
    each = jnp.array(factor, update.dtype).reshape(-1, *[1] * (update.ndim - 1))
    return jnp.where(each == 0, 0, update * each)


def _stand_still() -> Optimizer:
    """Updates of minus zero: x + (-0.0) has the bits of x, while -0.0 + 0.0 has not."""
    return optax.stateless(lambda updates, _: jax.tree.map(lambda u: jnp.full_like(u, -0.0), updates))


def _check_rules(rules: Rules, params: dict) -> None:
    paths = [parameter_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    for pattern, _ in rules:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise CgdmerError(
                f'config.optimizer.rate_factors: "{pattern}" is not a regular expression ({error}); correct it'
            ) from error
        if not any(expression.search(path) for path in paths):
            raise CgdmerError(
                f'config.optimizer.rate_factors: "{pattern}" matches no parameter; paths look like "{paths[0]}"'
            )
