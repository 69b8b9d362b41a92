"""Everything a run needs to resume: parameters, optimiser, step, and the first step that went bad."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int32

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Variables

NEVER = -1  # first_bad_step of a healthy run


class TrainState(NamedTuple):
    """A pytree of arrays only, so that Orbax and NamedSharding need nothing else."""

    step: Int32[Array, ""]
    variables: Variables
    optimizer: Any
    first_bad_step: Int32[Array, ""]


def start(variables: Variables, optimizer: optax.GradientTransformation) -> TrainState:
    return TrainState(jnp.int32(0), variables, optimizer.init(variables.params), jnp.int32(NEVER))


def abstract(arrays: Any) -> Any:
    """Shapes, dtypes and shardings of a pytree of arrays: what a checkpoint must match."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), arrays)


def check_finite(first_bad_step: int) -> None:
    """Stops the run, naming the step (as metrics.jsonl counts) at which loss or gradient was no longer finite."""
    if first_bad_step != NEVER:
        raise CgdmerError(
            f"loss or gradient was not finite at step {first_bad_step}; nothing was updated or saved since: "
            "lower config.optimizer.learning_rate, or look at the records of that step"
        )
