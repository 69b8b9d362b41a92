"""One step of a toy method: what is updated, and what is not once something is not finite."""

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.methods.protocol import Method
from cgdmer_jax.training.state import NEVER
from cgdmer_jax.training.step import make_step
from tests.training.toy import KEY, METHOD, OPTIMIZER, STEP, batch_of, bytes_of, new_state


def test_the_toy_is_a_method_by_the_contract_alone():
    assert isinstance(METHOD, Method)


def test_the_first_gradient_is_that_of_the_loss_worked_by_hand():
    batch = batch_of(0)
    _, metrics = STEP(new_state(), batch)
    noise = np.asarray(jax.random.normal(jax.random.fold_in(KEY, 0), (8,)), np.float64)
    weight = np.asarray(new_state().variables.params["line"]["kernel"], np.float64)[:, 0]
    mean = batch.signal.astype(np.float64).mean((1, 2)) / 1000
    inputs = np.stack([mean, noise], 1)
    error = inputs @ weight - mean
    gradient = np.append(2 * (error[:, None] * inputs).mean(0), 2 * error.mean())
    np.testing.assert_allclose(metrics["loss"], (error**2).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["gradient_norm"], np.linalg.norm(gradient), rtol=1e-5)
    assert set(metrics) == {"loss", "bias", "gradient_norm", "first_bad_step"}


def test_each_step_draws_anew_and_progress_reaches_the_method():
    losses = [float(STEP(new_state(step), batch_of(0))[1]["loss"]) for step in (0, 1, 12)]
    assert losses[0] != losses[1]
    # at the last step the toy's noise is scheduled away: only the slope is left
    mean = batch_of(0).signal.mean((1, 2)) / 1000
    slope = float(new_state().variables.params["line"]["kernel"][0, 0])
    np.testing.assert_allclose(losses[2], ((slope * mean - mean) ** 2).mean(), rtol=1e-4)


def test_a_healthy_step_updates_everything():
    state = new_state()
    before = bytes_of(state.variables)
    for step in range(2):  # the first one has rate 0
        state, _ = STEP(state, batch_of(step))
    assert int(state.step) == 2 and int(state.first_bad_step) == NEVER
    assert all(a != b for a, b in zip(before, bytes_of(state.variables), strict=True))


def test_a_loss_that_is_not_finite_updates_nothing_then_or_later_and_keeps_its_step():
    state = new_state()
    for step in range(3):
        state, _ = STEP(state, batch_of(step))
    before = bytes_of((state.variables, state.optimizer))
    for step in range(3, 6):
        state, metrics = STEP(state, batch_of(step, bad_steps=(4, 6)))
        assert bytes_of((state.variables, state.optimizer)) == before
        assert int(state.first_bad_step) == int(metrics["first_bad_step"]) == 4
    assert int(state.step) == 6


def test_a_gradient_that_is_not_finite_counts_as_well():
    class Steep(type(METHOD)):
        def loss(self, variables, batch, draws, *, train):
            loss, aux = METHOD.loss(variables, batch, draws, train=train)
            return loss + jnp.sqrt(variables.params["line"]["bias"][0]), aux  # at 0: finite, of infinite slope

    state = new_state()
    before = bytes_of(state.variables)
    state, metrics = make_step(Steep(), OPTIMIZER, KEY, 12)(state, batch_of(0))
    assert np.isfinite(metrics["loss"]) and int(state.first_bad_step) == 1
    assert bytes_of(state.variables) == before
