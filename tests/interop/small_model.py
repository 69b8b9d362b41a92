"""A small CG-DMER with random weights as a model folder: made in seconds, refused and used in tests."""

import functools
import json
from hashlib import sha256
from pathlib import Path

import jax

from cgdmer_jax.batch import blank_batch
from cgdmer_jax.contract import UNIT, InputContract, TrainedOn
from cgdmer_jax.data.text.special_tokens import full_stop_id
from cgdmer_jax.data.text.tokenizer import tokenizer_sha256, train_wordpiece
from cgdmer_jax.interop.pretrained import FILE_HASHES, OWN_HASH, save_model
from cgdmer_jax.json_file import own_sha256
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.waveform.conditioning import LEADS
from configs.cgdmer import get_config

WORDS = ("sinus rhythm. normal ecg.", "atrial fibrillation with rapid response.", "left bundle branch block.")


@functools.cache
def small_model(scale_feature: bool = False) -> dict:
    """Arguments of `save_model`."""
    config = get_config("quickstart")
    config.method.scale_feature = scale_feature
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part].update(width=16, depth=1)
    config.method.embed_dim = 12
    tokenizer = train_wordpiece(WORDS, 200)
    contract = InputContract(
        rate=100.0,
        seconds=10.0,
        unit=UNIT,
        leads=LEADS,
        filter="none",
        scaling=config.method.scaling,
        cleaning_version="1",
        tokenizer_sha256=tokenizer_sha256(tokenizer),
        trained_on=(TrainedOn("synthetic", "cd" * 32, ("ef" * 32, "01" * 32), ()),),
    )
    fields, max_tokens = config.copy_and_resolve_references().method.to_dict(), 16
    method = make_method(
        "cgdmer",
        fields,
        n_leads=12,
        n_samples=contract.samples,
        rate=contract.rate,
        vocabulary=tokenizer.get_vocab_size(),
        max_tokens=max_tokens,
        full_stop=full_stop_id(tokenizer),
    )
    variables = jax.jit(method.init)(
        jax.random.key(3), blank_batch(2, n_leads=12, n_samples=contract.samples, n_tokens=max_tokens)
    )
    return {
        "variables": variables,
        "method_name": "cgdmer",
        "method_fields": fields,
        "max_tokens": max_tokens,
        "contract": contract,
        "tokenizer": tokenizer,
        "origin": {"run": "none"},
        "card": "a card",
    }


def reseal(folder: Path, **fields: object) -> None:
    """Hashes of the files as they are now, and other fields: what somebody who damages a folder on purpose would do."""
    config = json.loads((folder / "config.json").read_text()) | fields
    files = {field: folder / file for field, file in FILE_HASHES.items() if (folder / file).exists()}
    config |= {field: sha256(file.read_bytes()).hexdigest() for field, file in files.items()}
    config[OWN_HASH] = own_sha256(config, OWN_HASH)
    (folder / "config.json").write_text(json.dumps(config))


def write_small_model(folder: Path) -> Path:
    """The folder, exported."""
    save_model(folder, **small_model())
    return folder
