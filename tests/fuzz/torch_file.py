"""Torch files: of a text encoder in both of torch's forms, and of MERL's authors."""

from pathlib import Path
from random import Random

import torch

from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.torch_weights import read_merl, read_state_dict
from cgdmer_jax.methods.merl.network import ResNetSize
from tests.flipped_runs import bytes_of
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.spoil_tensors import zip_changed
from tests.fuzz.target import FolderTarget, Values
from tests.interop.bert_folder import bert_tensors, write_bert
from tests.methods.merl_twins import make_twins

NEW, OLD, MERL = "new", "old", "merl"
FILE = "pytorch_model.bin"
SIZE = ResNetSize(8, (1, 1, 1, 1), False)


class TorchTarget(FolderTarget):
    """Keeps the shapes that MERL's file must have."""

    def __init__(self):
        readers = {NEW: read, OLD: read, MERL: self.read_merl}
        files = tuple(f"{name}/{file}" for name in (NEW, OLD) for file in ("config.json", "tokenizer.json"))
        super().__init__(self.make_folders, readers, of_format=(parts_changed,), kept=files)
        self.twins = None

    def make_folders(self, folder: Path) -> None:
        for name in (NEW, OLD):
            write_bert(folder / name)
            (folder / name / "model.safetensors").unlink()
            tensors = {name: torch.tensor(tensor) for name, tensor in bert_tensors().items()}
            torch.save(tensors, folder / name / FILE, _use_new_zipfile_serialization=name == NEW)
        (folder / MERL).mkdir()
        self.twins = make_twins(SIZE, folder / MERL / FILE, samples=1000)

    def read_merl(self, folder: Path) -> Values:
        found = read_merl(folder / FILE, self.twins.variables)
        return {"MERL's variables": bytes_of(found.variables), "tensors left out": found.left_out}


def read(folder: Path) -> Values:
    tensors = read_state_dict(folder / FILE)
    tower = load_text_encoder(folder)
    return {
        "tensors": {name: (tensor.shape, tensor.tobytes()) for name, tensor in tensors.items()},
        "parameters": bytes_of(tower.params),
        "facts": tower.facts,
    }


def parts_changed(tree: Tree, draw: Random) -> str | None:
    return zip_changed(tree, f"{draw.choice((NEW, MERL))}/{FILE}", draw)


def make_target() -> FolderTarget:
    return TorchTarget()
