"""Rows of an embedding under way: parts in a folder beside the output, each whole or absent, until all are there.

The folder is called NAME.npz.unfinished and holds what it was begun with, so that the same command continues and
another one is refused; it is gone once the output stands.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.npz_file import read_arrays, write_arrays
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.whole_file import UNFINISHED, write_whole

BEGUN, LOCK = "begun.json", "lock"
RowsOfPart = dict[str, np.ndarray]


class UnfinishedRows:
    """Parts by number, in the folder of an output."""

    def __init__(self, folder: Path):
        self._folder = folder

    def read(self, number: int) -> RowsOfPart | None:
        """The part, if it is there and whole; a damaged one is named and made again."""
        path = self._path(number)
        if not path.exists():
            return None
        try:
            return read_arrays(path, remedy="it is made again")
        except CgdmerError as error:
            print(error)
            return None

    def write(self, number: int, part: RowsOfPart) -> None:
        write_arrays(self._path(number), part, compress=False)

    def remove(self) -> None:
        """Called when the output stands, or when there will be none."""
        shutil.rmtree(self._folder)

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.npz"


@contextmanager
def unfinished_rows(out: Path, begun_with: Mapping[str, str]) -> Iterator[UnfinishedRows]:
    """Makes or continues the folder of an output, alone; refuses one that was begun with anything else."""
    folder = out.with_name(f"{out.name}{UNFINISHED}")
    folder.mkdir(exist_ok=True)
    remedy = f"delete {folder} and run the same command again"
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CgdmerError(f"another command is writing {out}; wait for it or name another --out") from error
        if (folder / BEGUN).exists():
            found = read_sealed(folder / BEGUN, remedy=remedy, required=True)
            differing = [name for name, value in begun_with.items() if found.get(name) != value]
            if differing:
                raise CgdmerError(
                    f"{folder} was begun with another {' and another '.join(differing)}; give what it was begun with "
                    "and it continues, or delete that folder, or name another --out"
                )
        else:
            write_whole(folder / BEGUN, json.dumps(sealed(begun_with)))
        yield UnfinishedRows(folder)
