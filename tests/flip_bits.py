"""Flips single bits at random in folders that this program wrote, and counts what comes of it.

Each flip is one random bit of one random file of a fresh copy. Named: refused in one sentence. Harmless: the values
are those of the whole folder (a blank in a JSON file). Made again: so is the damaged part. The other two must be 0.
"""

import collections
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer_jax import cli
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.provenance import write_figures
from tests.flipped_runs import make_model, make_run, model_values, run_values
from tests.flipped_stores import continued_bytes, make_store, make_unfinished, store_values

EXAMPLE = "python -m tests.flip_bits --flips=400 --seed=0 --out=results/flipped-bits.json"
NAMED, HARMLESS, MADE_AGAIN, UNNOTICED, TRACEBACK = "named", "harmless", "made again", "unnoticed", "traceback"


class Kind(NamedTuple):
    """`make` writes a folder; `check` gives its values, to compare by ==, or raises. Both may be slow, once."""

    name: str
    make: Callable[[Path], None]
    check: Callable[[Path], object]
    equal: str = HARMLESS  # what equal values mean


KINDS = (
    Kind("store", make_store, store_values),
    Kind("unfinished store", make_unfinished, continued_bytes, MADE_AGAIN),
    Kind("run", make_run, run_values),
    Kind("model folder", make_model, model_values),
)


class Flip(NamedTuple):
    """One flipped bit and its outcome."""

    file: str
    byte: int
    bit: int
    outcome: str
    error: str  # or ""


def flips(kind: Kind, n_flips: int, seed: int) -> Iterator[Flip]:
    """That many flips in folders of one kind; the same seed flips the same bits."""
    draw = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole, copy = Path(scratch) / "whole", Path(scratch) / "folder"  # always checked at one path: it may be shown
        kind.make(copy)
        shutil.copytree(copy, whole)
        expected = kind.check(copy)
        files = sorted(path for path in whole.rglob("*") if path.is_file() and path.stat().st_size)
        for _ in range(n_flips):
            shutil.rmtree(copy)
            shutil.copytree(whole, copy)
            file = files[draw.integers(len(files))].relative_to(whole)
            content = bytearray((copy / file).read_bytes())
            byte, bit = int(draw.integers(len(content))), int(draw.integers(8))
            content[byte] ^= 1 << bit
            (copy / file).write_bytes(content)
            yield Flip(str(file), byte, bit, *_outcome(kind, copy, expected))


def _outcome(kind: Kind, folder: Path, expected: object) -> tuple[str, str]:
    try:
        values = kind.check(folder)
    except CgdmerError as error:
        return (NAMED if "\n" not in str(error) else TRACEBACK), str(error)
    except Exception as error:  # any other is what this program looks for
        return TRACEBACK, f"{type(error).__name__}: {error}"
    return (kind.equal if values == expected else UNNOTICED), ""


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--flips", type=int, default=400, help="over all kinds of folders (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="which bits (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the counts")
    args = parser.parse_args(words)
    rows, bad = [], 0
    for kind, n_flips in zip(KINDS, _shares(args.flips, len(KINDS)), strict=True):
        found = list(flips(kind, n_flips, args.seed))
        counts = collections.Counter(flip.outcome for flip in found)
        names = (NAMED, HARMLESS, MADE_AGAIN, UNNOTICED, TRACEBACK)
        rows.append({"folder": kind.name, "flips": n_flips} | {name: counts[name] for name in names})
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items()))
        for flip in found:
            if flip.outcome in (UNNOTICED, TRACEBACK):
                print(f"  {flip.outcome}: byte {flip.byte} bit {flip.bit} of {flip.file} {flip.error}")
                bad += 1
    write_figures(args.out, rows)
    return 1 if bad else 0


def _shares(total: int, parts: int) -> list[int]:
    edges = [total * part // parts for part in range(parts + 1)]
    return [end - start for start, end in itertools.pairwise(edges)]


if __name__ == "__main__":
    cli.run(main)
