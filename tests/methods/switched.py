"""CG-DMER with some fields changed."""

import dataclasses

import jax

from cgdmer_jax.methods.cgdmer.method import CgDmer
from tests.methods.conftest import CONFIG, make_method


def changed(**changes) -> CgDmer:
    return make_method(dataclasses.replace(CONFIG, **changes))


def run(function, *arguments):
    """The function's value at the arguments, jitted."""
    return jax.jit(function)(*arguments)


def terms_of(method, names: tuple[str, ...], variables, draws):
    """patches, batch -> these terms by name; what only others need is not compiled."""

    def chosen(patches, batch):
        terms = method.loss_of_patches(variables, patches, batch, draws)[1].terms
        return {name: terms[name] for name in names}

    return jax.jit(chosen)
