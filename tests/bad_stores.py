"""Stores that were damaged or made to do harm, given to the real commands."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.text.tokenizer import train_wordpiece
from cgdmer_jax.data.token_table import token_table
from tests.bad_recordings import converted
from tests.bad_runs import REPORTS, training
from tests.data.ptbxl_root import line, write_root
from tests.data.small_stores import rewrite_info, write_store
from tests.outcome import Outcome


def store_with(spoil: Callable[[Path], object]) -> Callable[[Path], Outcome]:
    """Training on a store that was spoilt."""

    def make(folder: Path) -> Outcome:
        store = Path(write_store(folder / "store", REPORTS))
        spoil(store)
        return training(folder, f"--config.data.stores={store}")

    return make


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def changed_value(store: Path) -> None:
    replace_in(store / seal.DATASET, '"rate": 100.0', '"rate": 300.0')


def big_endian(store: Path) -> None:
    replace_in(store / seal.ARRAY, '"little"', '"big"')


def nested(store: Path) -> None:
    (store / seal.ARRAY).write_text("[" * 200_000)


def info_of(store: Path) -> dict:
    return json.loads((store / seal.DATASET).read_text())


def names_elsewhere(store: Path) -> None:
    sealed = info_of(store)["seal"]
    sealed["shards"][0]["file"] = "../../x"
    rewrite_info(str(store), seal=sealed)


def link(store: Path) -> None:
    shard = seal.shard_path(store, 0)
    shard.rename(store.parent / "elsewhere")
    shard.symlink_to(store.parent / "elsewhere")


def unpacks(store: Path) -> None:
    """One text of 25 MB in every line: a dictionary holds it once, and compressed it has 3 kB."""
    n_lines = len(REPORTS)
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n_lines, np.int32)), pa.array(["a" * 25_000_000]))
    table = pa.table({"text_id": pa.array(np.arange(n_lines, dtype=np.int32)), "text": text})
    pq.write_table(table, store / seal.REPORTS, compression="zstd", store_schema=False)
    assert (store / seal.REPORTS).stat().st_size < 5000
    sealed = info_of(store)["seal"]
    sealed["tables"][1] = seal.seal_table(store, seal.REPORTS, n_lines)
    rewrite_info(str(store), seal=sealed)


def flipped_cache(folder: Path) -> Outcome:
    """Lines printed when the reports are read again: the cache is made again."""
    corpus, tokenizer = open_corpus([write_store(folder / "store", REPORTS)]), train_wordpiece(REPORTS, 100)
    expected = token_table(corpus, tokenizer, 8)
    (cache,) = (folder / "store/cache").iterdir()
    content = bytearray(cache.read_bytes())
    content[100] ^= 1
    cache.write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert np.array_equal(token_table(corpus, tokenizer, 8).tokens, expected.tokens)
    return Outcome(0, printed.getvalue().replace(cache.name, "tokens.npz"))  # its name holds the hash of a tokenizer


def damaged_settings(folder: Path) -> Outcome:
    (folder / "store/.partial").mkdir(parents=True)
    (folder / "store/.partial/settings.json").write_text("{")
    return converted(write_root(folder / "PTB-XL", [line(1)]), folder / "store")
