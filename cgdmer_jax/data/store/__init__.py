"""The sealed store: conversion, tables, hashes, opening.

Nothing here knows a collection or a model.
"""

import warnings

MOVED = ("Store", "open_store")  # in version 0.1 this folder was one file; both go with version 0.2


def __getattr__(name: str) -> object:
    """Names of version 0.1 go on working here, with one line that says where they are now."""
    if name not in MOVED:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from cgdmer_jax.data.store import store

    warnings.warn(
        f"cgdmer_jax.data.store.{name} is now cgdmer_jax.data.store.store.{name}; change the import, this path goes "
        "with 0.2",
        FutureWarning,
        stacklevel=2,
    )
    return getattr(store, name)
