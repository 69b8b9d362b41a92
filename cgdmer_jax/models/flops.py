"""Floating-point operations of the matrix products and convolutions that a function executes, from its jaxpr."""

import math
from collections.abc import Callable

import jax
from jax.extend import core


def matmul_flops(function: Callable, *args) -> int:
    """2 M N K for every product, loops included; arguments may be shapes alone.

    A convolution counts as the product that it is: 2 x elements of the result x weights that enter each.
    """
    return _count(jax.make_jaxpr(function)(*args).jaxpr)


def _count(jaxpr: core.Jaxpr) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, of_result = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
        out_axis = params["dimension_numbers"].rhs_spec[0]
        return 2 * math.prod(of_result) * math.prod(kernel) // kernel[out_axis]
    if name == "scan":
        return params["length"] * _count(params["jaxpr"].jaxpr)
    if name == "while":
        raise ValueError("a while loop has no known length; count its body by hand")
    if name == "cond":
        return max(_count(branch.jaxpr) for branch in params["branches"])
    return sum(_count(inner) for inner in _inner(params))


def _inner(params: dict):
    """Jaxprs that a call, remat or custom derivative carries."""
    for value in params.values():
        if isinstance(value, core.ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, core.Jaxpr):
            yield value
