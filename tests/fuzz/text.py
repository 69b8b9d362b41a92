"""Folders of text encoders: a BERT as others write it, one in parts, and a T5 of our own with its hashes."""

import json
from pathlib import Path
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_folder import FILES, ORIGIN
from cgdmer_jax.sealed_json import sealed
from cgdmer_jax.whole_file import sha256_of
from tests.flipped_runs import bytes_of
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.spoil_tensors import safetensors_changed
from tests.fuzz.target import FolderTarget, Values
from tests.interop.bert_folder import bert_tensors, write_bert
from tests.interop.tower_folder import write_t5, write_tower

BERT, PARTS, T5 = "bert", "parts", "t5"
TEXTS = ["sinus rhythm", "normal ecg"]


def make(folder: Path) -> None:
    write_tower(folder / BERT, TEXTS)
    write_bert(folder / PARTS)
    (folder / PARTS / "model.safetensors").unlink()
    named, places = sorted(bert_tensors().items()), {}
    for number, part in enumerate((named[::2], named[1::2]), 1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file(dict(part), folder / PARTS / file)
        places |= {name: file for name, _ in part}
    (folder / PARTS / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    write_t5(folder / T5, ["sinus", "rhythm", "normal", "ecg"])


def read(folder: Path) -> Values:
    tower = load_text_encoder(folder)
    ids = [tower.tokenizer.encode(text).ids[:4] for text in TEXTS]
    tokens = np.full((len(ids), 4), tower.facts.pad_id, np.int32)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = one
    length = np.array([max(1, len(one)) for one in ids], np.int32)
    states = tower.module.apply({"params": jax.device_put(tower.params)}, jnp.asarray(tokens), jnp.asarray(length))
    return {
        "module": repr(tower.module),
        "facts": tower.facts,
        "parameters": bytes_of(tower.params),
        "token ids": ids,
        "states": bytes_of(states),
    }


def reseal(folder: Path, spoilt: set[str]) -> None:
    origin = json.loads((folder / T5 / ORIGIN).read_text())
    for name in origin[FILES]:
        if f"{T5}/{name}" in spoilt:
            origin[FILES][name] = sha256_of(folder / T5 / name)
    (folder / T5 / ORIGIN).write_text(json.dumps(sealed(origin)))


def weights_changed(tree: Tree, draw: Random) -> str | None:
    names = (f"{BERT}/model.safetensors", f"{PARTS}/model-00001-of-00002.safetensors", f"{T5}/model.safetensors")
    return safetensors_changed(tree, draw.choice(names), draw)


def make_target() -> FolderTarget:
    return FolderTarget(make, dict.fromkeys((BERT, PARTS, T5), read), reseal=reseal, of_format=(weights_changed,))
