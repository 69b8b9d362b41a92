"""Checkpoints that exist only when whole: Orbax writes, a sha256 manifest is renamed into place last.

Orbax alone loads flipped bits and casts dtypes in silence (stack.md 4), so the manifest holds the hash of every file
and the shape and dtype of every array, and both are verified for the step about to be loaded.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.state import TrainState, abstract

MANIFEST = "manifest.json"
STATE = "state"


class Checkpoints:
    """`folder/<step>/{state/,manifest.json}`; keeps the last `keep_last` and the one of lowest validation loss."""

    def __init__(self, folder: Path, keep_last: int):
        self.folder = folder
        self.keep_last = keep_last
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future | None = None

    def save(self, state: TrainState, validation_loss: float | None) -> None:
        """Starts writing; an error of the previous save is raised here."""
        self.wait()
        step = int(state.step)
        folder = self.folder / str(step)
        if (folder / MANIFEST).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)  # what a kill left
        folder.mkdir(parents=True)
        if jax.default_backend() == "cpu":
            # On CPU a "host copy" is a view, and the next step donates the buffers that it looks at.
            state = jax.tree.map(jnp.copy, state)
        arrays = _describe(state)
        response = ocp.save_async(folder.absolute() / STATE, _as_dict(state))
        self._pending = self._writer.submit(self._commit, response, folder, step, validation_loss, arrays)

    def _commit(self, response, folder: Path, step: int, validation_loss, arrays: dict) -> None:
        response.result()
        manifest = {
            "step": step,
            "validation_loss": validation_loss,
            "arrays": arrays,
            "files": {str(p.relative_to(folder)): _sha256(p) for p in _files(folder)},
        }
        part = folder / (MANIFEST + ".part")
        part.write_text(json.dumps(manifest))
        os.replace(part, folder / MANIFEST)
        self._prune()

    def wait(self) -> None:
        """Blocks until the pending save is whole; raises what went wrong with it."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self._writer.shutdown()

    def steps(self) -> list[int]:
        """Steps with a manifest, oldest first."""
        return sorted(int(p.parent.name) for p in self.folder.glob(f"*/{MANIFEST}"))

    def best_step(self) -> int | None:
        """The step of lowest validation loss among those kept."""
        losses = {s: _manifest(self.folder / str(s))["validation_loss"] for s in self.steps()}
        losses = {s: loss for s, loss in losses.items() if loss is not None}
        return min(losses, key=losses.get) if losses else None

    def _prune(self) -> None:
        steps = self.steps()
        keep = {*steps[-self.keep_last :], self.best_step()}
        for step in steps:
            if step not in keep:
                (self.folder / str(step) / MANIFEST).unlink()  # first, so that half a folder is none
                shutil.rmtree(self.folder / str(step))

    def remove_unfinished(self) -> None:
        """Deletes step folders without a manifest: kills and full disks leave them, and they keep their space."""
        for folder in self.folder.glob("*"):
            if folder.name.isdigit() and not (folder / MANIFEST).exists():
                shutil.rmtree(folder)

    def restore_latest(self, like: TrainState, tell: Callable[[str], None]) -> TrainState | None:
        """The newest step whose files are intact; each refused one is told by name. None when there is none."""
        refused = 0
        for step in reversed(self.steps()):
            try:
                return self.restore(step, like)
            except DamagedCheckpoint as error:
                tell(str(error))
                refused += 1
        if refused:
            raise CgdmerError(
                f"{self.folder}: none of its {refused} checkpoints is intact; "
                "restore one from a backup, or remove the folder to start again"
            )
        return None

    def restore(self, step: int, like: TrainState) -> TrainState:
        folder = self.folder / str(step)
        if step not in self.steps():
            raise CgdmerError(f"{self.folder} has no checkpoint of step {step}; it has {self.steps()}")
        verify(folder)
        expected, found = _describe(like), _manifest(folder)["arrays"]
        if expected != found:
            name = next(n for n in sorted({*expected, *found}) if expected.get(n) != found.get(n))
            raise CgdmerError(
                f"{folder}: array {name} is {found.get(name)}, this run needs {expected.get(name)}; "
                "the config differs from the one that wrote it"
            )
        restored = ocp.load(folder.absolute() / STATE, abstract(_as_dict(like)))
        return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(restored))


class DamagedCheckpoint(CgdmerError):
    """A file of a checkpoint is not what was written."""


def verify(folder: Path) -> None:
    """Raises unless every file of the checkpoint has the hash in its manifest."""
    for name, expected in _manifest(folder)["files"].items():
        path = folder / name
        if not path.exists() or _sha256(path) != expected:
            state = "differs from what was written" if path.exists() else "is missing"
            raise DamagedCheckpoint(f"{path} {state} (sha256); checkpoint {folder.name} is not used")


def manifest_sha256(folder: Path) -> str:
    """Names a checkpoint by content: the key of everything cached from it."""
    return _sha256(folder / MANIFEST)


def _as_dict(state: TrainState) -> dict[str, jax.Array]:
    """Flat, by number and path, so that the order of leaves survives whatever containers optax uses."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {f"{i:05d}{jax.tree_util.keystr(path)}": leaf for i, (path, leaf) in enumerate(leaves)}


def _describe(state: TrainState) -> dict[str, list]:
    return {name: [list(x.shape), str(x.dtype)] for name, x in _as_dict(state).items()}


def _manifest(folder: Path) -> dict:
    return json.loads((folder / MANIFEST).read_text())


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
