"""A model folder: loaded, and used on a recording, a text and prompts."""

from pathlib import Path
from random import Random

from tests.flipped_runs import make_model, model_parts
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.spoil_tensors import safetensors_changed
from tests.fuzz.target import FolderTarget
from tests.interop.small_model import reseal


def weights_changed(tree: Tree, draw: Random) -> str | None:
    return safetensors_changed(tree, "model/model.safetensors", draw)


def reseal_model(folder: Path, spoilt: set[str]) -> None:
    reseal(folder / "model")


def make(folder: Path) -> None:
    make_model(folder / "model")


def make_target() -> FolderTarget:
    return FolderTarget(make, {"model": model_parts}, reseal=reseal_model, of_format=(weights_changed,))
