"""CG-DMER with some fields changed, and programs compiled in a hurry, since each runs once or twice."""

import dataclasses

import jax

from cgdmer_jax.methods.cgdmer import CgDmer
from tests.methods.conftest import CONFIG, make_method

FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def changed(**changes) -> CgDmer:
    return make_method(dataclasses.replace(CONFIG, **changes))


def run(function, *arguments):
    """The function's value at the arguments."""
    return compiled_fast(function, *arguments)(*arguments)


def compiled_fast(function, *arguments):
    return jax.jit(function).lower(*arguments).compile(compiler_options=FAST)


def terms_of(method, names: tuple[str, ...], variables, patches, batch, draws):
    """patches, batch -> these terms by name; what only others need is not compiled."""

    def chosen(patches, batch):
        terms = method.loss_of_patches(variables, patches, batch, draws)[1].terms
        return {name: terms[name] for name in names}

    return compiled_fast(chosen, patches, batch)
