"""A model folder: loaded, and used on a recording, a text and prompts."""

from pathlib import Path
from random import Random

import jax

from tests.flipped_runs import make_model, model_parts
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.spoil_tensors import safetensors_changed
from tests.fuzz.target import FolderTarget
from tests.interop.small_model import reseal


def weights_changed(tree: Tree, draw: Random) -> str | None:
    return safetensors_changed(tree, "model/model.safetensors", draw)


def reseal_model(folder: Path, spoilt: set[str]) -> None:
    reseal(folder / "model")


class ModelTarget(FolderTarget):
    def prepare(self, scratch: Path) -> None:
        # What every load compiles anew is the same code.
        jax.config.update("jax_compilation_cache_dir", str(scratch / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        super().prepare(scratch)


def make(folder: Path) -> None:
    make_model(folder / "model")


def make_target() -> FolderTarget:
    return ModelTarget(make, {"model": model_parts}, reseal=reseal_model, of_format=(weights_changed,))
