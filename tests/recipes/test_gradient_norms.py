"""Gradient norms of single terms, on a method whose gradients are known in closed form."""

import jax.numpy as jnp
import pytest

from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.recipes.gradient_norms import gradient_norms, term_weights
from configs import cgdmer
from tests.training.toy import batch_of


class Bowl:
    """terms: half the squared length of both parameters, three times one of them; the total is of no matter."""

    declared = Declared(recordings=False, text=False)

    def init(self, key, batch):
        return VARIABLES

    def draw(self, key, batch, progress):
        return progress

    def loss(self, variables, batch, draws, *, train):
        a, b = variables.params["a"], variables.params["b"]
        terms = {"bowl": 0.5 * ((a**2).sum() + b**2), "slope": 3 * b * draws, "batch": a.sum() * batch.row.sum()}
        return jnp.float32(7), Aux(variables.state, terms)


VARIABLES = Variables({"a": jnp.array([2.0, 4.0]), "b": jnp.float32(4.0)}, {})


def test_the_norm_of_each_term_is_taken_alone_over_all_parameters_with_scheduled_weights_at_their_end():
    found = gradient_norms(Bowl(), ("bowl", "slope", "batch"), 0)(VARIABLES, batch_of(0))
    assert found == pytest.approx({"bowl": 6.0, "slope": 3.0, "batch": 28 * 2**0.5})


def test_a_term_that_is_switched_off_moves_nothing():
    assert gradient_norms(Bowl(), ("bowl", "cross"), 0)(VARIABLES, batch_of(0))["cross"] == 0


def test_the_terms_are_those_with_a_weight_in_the_config():
    config = cgdmer.get_config("nano")
    config.method.update(weight_ecg=3.0, weight_text=0.5, weight_align=1.0, weight_disentangle=0.1)
    assert {"ecg": 3.0, "text": 0.5, "align": 1.0, "disentangle": 0.1}.items() <= term_weights(config).items()
