"""One training step of any method, as one jitted function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray, Shaped

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.training.state import NEVER, TrainState

Metrics = dict[str, Shaped[Array, ""]]


def make_step(
    method: Method,
    optimizer: optax.GradientTransformation,
    key: PRNGKeyArray,
    steps: int,
    placed: TrainState | None = None,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Step number -> key -> draws -> loss -> update. Once something is not finite, nothing is updated any more.

    `placed` is the sharding of each array of the state (training/placement.py): the new one lies where the old did.
    """

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        draws = method.draw(jax.random.fold_in(key, state.step), batch, state.step / steps)

        def loss_of(params):
            return method.loss(Variables(params, state.variables.state), batch, draws, train=True)

        params = state.variables.params
        (loss, aux), gradient = jax.value_and_grad(loss_of, has_aux=True)(params)
        norm = optax.tree.norm(gradient)
        finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        number = state.step + 1  # as metrics.jsonl and the checkpoints count
        first_bad = jnp.where((state.first_bad_step == NEVER) & ~finite, number, state.first_bad_step)

        updates, new_optimizer = optimizer.update(gradient, state.optimizer, params)
        new = (Variables(optax.apply_updates(params, updates), aux.state), new_optimizer)
        old = (state.variables, state.optimizer)
        variables, opt = jax.tree.map(lambda n, o: jnp.where(first_bad == NEVER, n, o), new, old)
        metrics = {"loss": loss, **aux.terms, "gradient_norm": norm, "first_bad_step": first_bad}
        return TrainState(number, variables, opt, first_bad), metrics

    return jax.jit(step, donate_argnums=0, out_shardings=(placed, None))
