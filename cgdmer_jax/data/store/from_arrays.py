"""Arrays in memory to a sealed store, by the conversion that every collection goes through."""

import warnings
from pathlib import Path
from typing import Any

from cgdmer_jax.data.sources import arrays
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.own_name import check_own_name
from cgdmer_jax.data.store.store import Store, open_store
from cgdmer_jax.data.text.own_cleaning import no_rules, read_cleaning


def store_of_arrays(
    out: Path, signals: object, name: str, cleaning: Path | None, given: dict[str, Any], settings: dict[str, Any]
) -> Store:
    """The verified store of `Store.from_arrays`: `given` is what belongs to the signals, `settings` are `convert`'s."""
    check_own_name(name)
    rules = no_rules() if cleaning is None else read_cleaning(cleaning)
    source = arrays.open_source(signals, name=name, cleaning=rules, **given)
    summary = convert(source, out, progress=False, **settings)
    if summary.rejected:
        told = ", ".join(f"{problem}: {count:,}" for problem, count in summary.rejected.items())
        warnings.warn(
            f"{summary.n_rows - summary.n_records:,} of {summary.n_rows:,} recordings were rejected ({told}); "
            f"{out / 'rejected.csv'} says why",
            stacklevel=3,
        )
    store = open_store(out)
    store.verify()
    return store
