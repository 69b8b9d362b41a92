"""Files of a run folder with other values, as if they had been written so."""

import json
from pathlib import Path

from cgdmer_jax.sealed_json import read_sealed, sealed


def rewrite(file: Path, **fields: object) -> None:
    """The same JSON object with these fields and the hash that belongs to them."""
    file.write_text(json.dumps(sealed(read_sealed(file, remedy="") | fields)))
