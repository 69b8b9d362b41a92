"""Reading from a folder of checkpoints in which a run may be training: it removes the older ones as it goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.training.manifest import MANIFEST, REMEDY, DamagedCheckpoint
from cgdmer_jax.whole_file import sha256_of


class Restored(NamedTuple):
    """Variables that were read, and the checkpoint that they come from."""

    variables: Variables
    step: int
    sha256: str  # manifest_sha256


def manifest_sha256(folder: Path) -> str | None:
    """Names a checkpoint by content, the key of everything cached from it; None where it is no longer there."""
    try:
        return sha256_of(folder / MANIFEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedCheckpoint(f"{folder / MANIFEST} cannot be read ({reason_of(error)}); {REMEDY}") from error


def read_steadily(folder: Path, choose: Callable[[], int | None], read: Callable[[int], Variables]) -> Restored | None:
    """Reads the chosen step. If it is removed or replaced meanwhile, another is chosen.

    `choose` raises when there is nothing more to choose from, or finds None.
    """
    while (step := choose()) is not None:
        checkpoint = folder / str(step)
        before = manifest_sha256(checkpoint)
        try:
            variables = read(step)
        except (OSError, ValueError):  # Orbax and TensorStore have many names for a file that is gone
            if before is not None and manifest_sha256(checkpoint) == before:
                raise
        else:
            # Removed after the last byte was read, it is as good as ever.
            if before is not None and manifest_sha256(checkpoint) in (before, None):
                return Restored(variables, step, before)
        if jax.process_count() > 1:  # the others may have read it
            raise CgdmerError(
                f"{checkpoint} was removed while it was read, by the run that trains there; run the same command again"
            )
    return None
