"""Counted products against counts by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.attention import blocked_attention
from cgdmer_jax.models.dense import affine
from cgdmer_jax.models.flops import matmul_flops


def shape(*axes):
    return jax.ShapeDtypeStruct(axes, np.float32)


def test_a_product_costs_two_m_n_k():
    assert matmul_flops(lambda a, b: a @ b, shape(3, 5), shape(5, 7)) == 2 * 3 * 7 * 5


def test_batch_axes_multiply_and_what_is_no_product_costs_nothing():
    def function(a, b):
        return jnp.tanh(jnp.einsum("bij,bjk->bik", a, b)).sum() * 3

    assert matmul_flops(function, shape(4, 3, 5), shape(4, 5, 7)) == 4 * 2 * 3 * 7 * 5


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_costs_its_weights_at_every_place_of_the_result(groups):
    """Checked against the same convolution written as products: windows of the input times the kernel."""

    def convolution(x, w):
        axes = ("NWC", "WIO", "NWC")
        return jax.lax.conv_general_dilated(x, w, (2,), "VALID", dimension_numbers=axes, feature_group_count=groups)

    def products(windows, w):
        return jnp.einsum("npgki,kigo->npgo", windows, w)

    batch, places, width, inputs, outputs = 3, 5, 4, 6, 8  # 12 samples, windows of 4, every second
    counted = matmul_flops(convolution, shape(batch, 12, inputs), shape(width, inputs // groups, outputs))
    windows = shape(batch, places, groups, width, inputs // groups)
    assert counted == matmul_flops(products, windows, shape(width, inputs // groups, groups, outputs // groups))


def test_a_scan_counts_its_body_as_often_as_it_runs_and_scans_nest():
    def inner(x, w):
        return jax.lax.scan(lambda c, _: (c @ w, None), x, None, length=3)[0]

    def outer(x, w):
        return jax.lax.scan(lambda c, _: (inner(c, w), None), x, None, length=5)[0]

    assert matmul_flops(inner, shape(2, 4), shape(4, 4)) == 3 * (2 * 2 * 4 * 4)
    assert matmul_flops(outer, shape(2, 4), shape(4, 4)) == 15 * (2 * 2 * 4 * 4)


def test_calls_custom_derivatives_and_rematerialisation_are_entered():
    one = 2 * 6 * 5 * 4
    arguments = shape(6, 4), shape(4, 5), shape(5)
    assert matmul_flops(affine, *arguments) == one
    assert matmul_flops(jax.jit(affine), *arguments) == one
    assert matmul_flops(jax.checkpoint(lambda x, w: jnp.sin(x @ w)), *arguments[:2]) == one


def test_a_gradient_counts_its_products_too():
    """Forward one, backward two for the operands and one row for the bias."""
    count = matmul_flops(jax.grad(lambda *a: affine(*a).sum(), (0, 1, 2)), shape(6, 4), shape(4, 5), shape(5))
    assert count == 3 * (2 * 6 * 5 * 4) + 2 * 1 * 5 * 6


def test_a_branch_counts_as_its_dearest_and_a_while_loop_is_refused():
    def branch(x):
        return jax.lax.cond(x.sum() > 0, lambda x: x @ x, lambda x: x @ x @ x, x)

    assert matmul_flops(branch, shape(4, 4)) == 2 * (2 * 4 * 4 * 4)
    with pytest.raises(ValueError, match="no known length"):
        matmul_flops(lambda x: jax.lax.while_loop(lambda c: c.sum() > 0, lambda c: c @ c, x), shape(4, 4))


def test_blocked_attention_costs_its_two_products_over_all_keys():
    batch, queries, keys, heads, dim = 3, 7, 5, 2, 4
    q, k = shape(batch, queries, heads, dim), shape(batch, keys, heads, dim)
    length = jax.ShapeDtypeStruct((batch,), np.int32)
    assert matmul_flops(blocked_attention, q, k, k, length) == 2 * (2 * batch * heads * queries * keys * dim)
