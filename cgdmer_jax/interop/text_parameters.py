"""A checkpoint's tensors as the parameters of our text encoder; every tensor is used, left out by name, or refused."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.interop.tensor_table import check_tensors
from cgdmer_jax.interop.text_config import TextModule, text_module
from cgdmer_jax.interop.text_names import LAYER, OLD_ENDS, POOLER, PREFIXES, TIED, harmless, their_name
from cgdmer_jax.interop.text_tensors import FLOATS, Stored
from cgdmer_jax.interop.weights import check_finite
from cgdmer_jax.models.text.bert import BertEncoder


def text_parameters(
    config: dict, config_path: Path, file: Path, tensors: dict[str, Stored]
) -> tuple[TextModule, dict, tuple[str, ...]]:
    """Module, its parameters in float32, and the names of the tensors that were left out."""
    module = text_module(config, config_path)
    tensors, left_out = _encoders_own(config, tensors)
    if isinstance(module, BertEncoder) and POOLER not in tensors:
        module = module.clone(pooler=False)
    tokens, length = jax.ShapeDtypeStruct((1, 2), jnp.int32), jax.ShapeDtypeStruct((1,), jnp.int32)
    like = jax.eval_shape(module.init, jax.random.key(0), tokens, length)["params"]
    places = jax.tree_util.tree_leaves_with_path(like)
    names = [their_name(module, jax.tree_util.keystr(path, simple=True, separator="/")) for path, _ in places]
    kernels = [path[-1].key == "kernel" for path, _ in places]
    wanted = {}
    for name, kernel, (_, leaf) in zip(names, kernels, places, strict=True):
        wanted |= _wanted(name, leaf.shape, kernel)
    _check(file, config_path, tensors, wanted)
    leaves = [_read(file, tensors, name, module.depth, kernel) for name, kernel in zip(names, kernels, strict=True)]
    return module, jax.tree.unflatten(jax.tree.structure(like), leaves), left_out


def _encoders_own(config: dict, tensors: dict[str, Stored]) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """Tensors under the names of a bare encoder, and the names of those that it has no use for."""
    family = config["model_type"]
    kept, left_out = {}, []
    unused = harmless(family, config)
    for name, stored in tensors.items():
        plain = _plain(name, PREFIXES[family])
        if plain in TIED and TIED[plain] not in tensors:
            plain = TIED[plain]
        if plain in unused or plain in TIED:
            left_out.append(name)
        elif plain in kept:
            kept[f"{name} (a second {plain})"] = stored  # no such name is wanted: told as extra
        else:
            kept[plain] = stored
    return kept, tuple(sorted(left_out))


def _plain(name: str, prefix: str) -> str:
    name = name.removeprefix(prefix)
    for old, new in OLD_ENDS.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _wanted(name: str, shape: tuple[int, ...], kernel: bool) -> dict[str, list[int]]:
    """Shapes in the file: a torch linear map is [out, in], and each block has its own tensor."""
    if LAYER not in name:
        return {name: list(shape[::-1] if kernel else shape)}
    each = shape[:0:-1] if kernel else shape[1:]
    return {name.format(layer=number): list(each) for number in range(shape[0])}


def _read(file: Path, tensors: dict[str, Stored], name: str, depth: int, kernel: bool) -> np.ndarray:
    layers = [name.format(layer=number) for number in range(depth)] if LAYER in name else [name]
    found = [check_finite(file, layer, tensors[layer].read(), "copy the file again") for layer in layers]
    read = [tensor.T if kernel else tensor for tensor in found]
    return np.stack(read) if LAYER in name else np.ascontiguousarray(read[0])


def _check(file: Path, config_path: Path, found: dict[str, Stored], wanted: dict[str, list[int]]) -> None:
    mistyped = [
        f"{name} {found[name].dtype}, expected one of {', '.join(sorted(FLOATS))}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name].dtype not in FLOATS
    ]
    sentence = (
        f"{file} does not hold the tensors that {config_path} describes; nothing was loaded: take both files from the "
        "same model"
    )
    check_tensors({name: stored.shape for name, stored in found.items()}, wanted, sentence, mistyped)
