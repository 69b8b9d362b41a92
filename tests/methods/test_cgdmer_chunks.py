"""A batch computed in parts has the loss and the gradient of the whole one, and needs less memory."""

import dataclasses

import jax
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Variables
from tests.methods.conftest import CONFIG, make_method

EVERY_TERM = {"weight_cross": 0.5, "align_mask_ratio": 0.5, "near_duplicate": 0.9}  # and the second ECG pass


def graded(chunks: int, variables, batch, draws, **fields):
    method = make_method(dataclasses.replace(CONFIG, microbatches=chunks, **fields))

    def loss(params, batch, draws):
        value, aux = method.loss(Variables(params, {}), batch, draws, train=True)
        return value, aux.terms

    return jax.jit(jax.value_and_grad(loss, has_aux=True)).lower(variables.params, batch, draws).compile()


@pytest.mark.parametrize("chunks", [4])
def test_loss_terms_and_gradients_are_those_of_the_whole_batch(chunks, variables, batch, draws):
    """Contrast and disentangling of all records together, in each part's gradient too."""
    (whole, terms), gradient = graded(1, variables, batch, draws, **EVERY_TERM)(variables.params, batch, draws)
    (parts, other), found = graded(chunks, variables, batch, draws, **EVERY_TERM)(variables.params, batch, draws)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert terms.keys() == other.keys() >= {"ecg", "cross", "text", "align", "disentangle"}
    for name, value in terms.items():
        np.testing.assert_allclose(other[name], value, rtol=1e-5, err_msg=name)
    size = np.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient)))
    assert size > 0.1
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * size), gradient, found)


def test_parts_need_less_memory_for_activations(variables, batch, draws):
    def repeated(tree, n):
        return jax.tree.map(lambda x: np.repeat(x, n, axis=0) if np.ndim(x) else x, tree)

    many, drawn = repeated(batch, 32), repeated(draws, 32)
    whole, parts = (graded(n, variables, many, drawn).memory_analysis().temp_size_in_bytes for n in (1, 16))
    assert parts < whole / 3


def test_parts_that_do_not_divide_the_batch_are_refused(variables, batch, draws):
    with pytest.raises(CgdmerError, match="microbatches is 3, which does not divide a batch of 8"):
        graded(3, variables, batch, draws)
    with pytest.raises(CgdmerError, match="microbatches is 0"):
        dataclasses.replace(CONFIG, microbatches=0)
