"""Variables as named tensors of one safetensors file, and back; strict about every name, shape and dtype."""

import os
import re
from pathlib import Path

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.interop.tensor_table import mismatch
from cgdmer_jax.methods.protocol import Variables

REMEDY = "copy the folder again, or export the model again"
MOST_TOLD = 6  # of the tensors that do not fit; the rest is counted
# Names that safetensors gives to what a method may hold.
DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int32": "I32", "bool": "BOOL"}


def write_weights(path: Path, variables: Variables) -> None:
    """One tensor a leaf, named by its place: params/ecg/blocks/..."""
    write_tensors(path, {name: np.asarray(leaf) for name, leaf in _named(variables).items()})


def write_tensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """A safetensors file that is readable for all whom the umask allows; the library leaves it to its owner alone."""
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        number = re.search(r"(?:os error|Os \{ code:) (\d+)", str(error))  # today's form, and that of 0.4
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error  # as any other full disk
    path.chmod(mode)


def read_weights(path: Path, like: Variables) -> Variables:
    """The variables of that file; `like` holds the shapes and dtypes that it must have, no more and no fewer."""
    wanted = _named(like)
    refuse_pointer(path)
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}
            found = {name: f"{s.get_dtype()}{list(s.get_shape())}" for name, s in slices.items()}
            _check_own_tensors(
                path, found, {n: f"{DTYPES[str(leaf.dtype)]}{list(leaf.shape)}" for n, leaf in wanted.items()}
            )
            leaves = [check_finite(path, name, file.get_tensor(name), REMEDY) for name in wanted]
    except FileNotFoundError as error:
        raise CgdmerError(f"{path} is missing; copy the whole model folder again") from error
    except SafetensorError as error:
        raise CgdmerError(f"{path} cannot be read ({error}); copy the model folder again") from error
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def check_finite(path: Path, name: str, tensor: np.ndarray, remedy: str) -> np.ndarray:
    """The tensor, whose numbers are all finite: one that is not spreads to every feature."""
    n_odd = int(np.count_nonzero(~np.isfinite(tensor)))
    if n_odd:
        raise CgdmerError(f"{path}: {n_odd} of the {tensor.size} numbers of {name} are not finite; {remedy}")
    return tensor


def _check_own_tensors(path: Path, found: dict[str, str], wanted: dict[str, str]) -> None:
    """In one sentence: a model folder that we wrote does not differ in a table's worth of tensors, but by a fault."""
    unfit = mismatch(found, wanted)
    problems = [f"{name} is missing" for name in unfit.missing]
    problems += [f"{name} is not known" for name in unfit.extra]
    problems += [f"{name} is {found[name]}, expected {wanted[name]}" for name in unfit.differing]
    if problems:
        more = f"; and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
        raise CgdmerError(
            f"{path} does not hold the tensors that its config describes: {'; '.join(problems[:MOST_TOLD])}{more}; "
            f"nothing was loaded: {REMEDY}"
        )


def _named(variables: Variables) -> dict:
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
