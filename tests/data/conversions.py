"""Small conversions of the PTB-XL format, and what they wrote."""

import hashlib
from pathlib import Path

from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.store.convert import Summary, convert

ROWS_PER_SHARD = 32
SECONDS = 2.0


def run(root: Path, out: Path, **changes: object) -> Summary:
    settings = {"rate": 100, "seconds": SECONDS, "progress": False, "rows_per_shard": ROWS_PER_SHARD}
    return convert(open_source(root, 100), out, **settings | changes)


def digests(store: Path) -> dict[str, str]:
    """sha256 of every file of the store."""
    files = [path for path in store.rglob("*") if path.is_file()]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
