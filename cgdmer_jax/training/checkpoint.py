"""Checkpoints that exist only when whole: Orbax writes, a sha256 manifest is renamed into place last."""

import logging
import math
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.training.manifest import (
    MANIFEST,
    DamagedCheckpoint,
    file_sha256,
    read_manifest,
    verify,
    write_manifest,
)
from cgdmer_jax.training.state import TrainState, abstract

STATE = "state"
Loaded = TypeVar("Loaded")


class _RaisedAnyway(logging.Filter):
    """Drops what Orbax's threads log, each with its traceback, of an error that `result` then raises."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "_SignalingThread.run() raised" not in record.getMessage()


RAISED_ANYWAY = _RaisedAnyway()  # one object, which a logger takes once


class Checkpoints:
    """`folder/<step>/{state/,manifest.json}`; keeps the last `keep_last` and the one of lowest validation loss.

    As a context manager it waits for the save under way when it is left.
    """

    def __init__(self, folder: Path, keep_last: int):
        self.folder = folder
        self.keep_last = keep_last
        logging.getLogger("absl").addFilter(RAISED_ANYWAY)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.close()
        else:  # the error on its way says what stopped the run
            self._writer.shutdown()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self._writer.shutdown()

    def save(self, state: TrainState, validation_loss: float | None) -> None:
        """Starts writing; an error of the previous save is raised here."""
        self.wait()
        step = int(state.step)
        folder = self.folder / str(step)
        if jax.default_backend() == "cpu":
            # On CPU a "host copy" is a view of buffers that the next step donates. JAX 0.10 does not write over what
            # NumPy looks at, but promises nothing; the copy costs what it would allocate instead.
            state = jax.tree.map(jnp.copy, state)
        arrays = _as_dict(state)
        try:
            _remove(folder)
            folder.mkdir(parents=True)
            response = ocp.save_async(folder.absolute() / STATE, arrays)
        except (OSError, ValueError) as error:
            raise _not_written(folder, error) from error
        self._pending = self._writer.submit(self._commit, response, folder, step, validation_loss, _describe(arrays))

    def _commit(self, response, folder: Path, step: int, validation_loss, arrays: dict) -> None:
        try:
            response.result()
            write_manifest(folder, step, validation_loss, arrays)
            self._prune()
        except (OSError, ValueError) as error:  # Orbax reports a full disk as ValueError
            if not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)  # what was written would keep its space
            raise _not_written(folder, error) from error

    def wait(self) -> None:
        """Blocks until the pending save is whole; raises what went wrong with it."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def steps(self) -> list[int]:
        """Steps with a manifest, oldest first."""
        return sorted(int(p.parent.name) for p in self.folder.glob(f"*/{MANIFEST}") if p.parent.name.isdigit())

    def best_step(self) -> int | None:
        """The step of lowest validation loss among those kept."""
        losses = {}
        for step in self.steps():
            try:
                loss = read_manifest(self.folder / str(step))["validation_loss"]
            except DamagedCheckpoint:  # it could not be loaded either
                continue
            if loss is not None and math.isfinite(loss):
                losses[step] = loss
        return min(losses, key=losses.get) if losses else None

    def _prune(self) -> None:
        steps = self.steps()
        keep = {*steps[-self.keep_last :], self.best_step()}
        for step in steps:
            if step not in keep:
                _remove(self.folder / str(step))

    def remove_unfinished(self) -> None:
        """Deletes step folders without a manifest: kills and full disks leave them, and they keep their space."""
        for folder in self.folder.glob("*"):
            if folder.name.isdigit() and not (folder / MANIFEST).exists():
                shutil.rmtree(folder)

    def remove_after(self, step: int) -> None:
        """Deletes later steps: a run that goes on before them writes them anew."""
        for later in self.steps():
            if later > step:
                _remove(self.folder / str(later))

    def restore_latest(self, like: TrainState, tell: Callable[[str], None]) -> TrainState | None:
        """The newest step whose files are intact; each refused one is told by name. None when there is none."""
        return self._latest(lambda step: self.restore(step, like), tell)

    def restore_latest_variables(self, like: TrainState, tell: Callable[[str], None]) -> Variables | None:
        """The same, of what the method learned alone: the optimiser may be another one."""
        return self._latest(lambda step: self.restore_variables(step, like), tell)

    def _latest(self, load: Callable[[int], Loaded], tell: Callable[[str], None]) -> Loaded | None:
        refused = 0
        for step in reversed(self.steps()):
            try:
                return load(step)
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
        wanted = _as_dict(like)
        folder, found = self._verified(step)
        _check_fit(folder, found, wanted, names={*found, *wanted})
        restored = ocp.load(folder.absolute() / STATE, abstract(wanted))
        return jax.tree.unflatten(jax.tree.structure(like), [restored[name] for name in wanted])

    def restore_variables(self, step: int, like: TrainState) -> Variables:
        wanted = {name: leaf for name, leaf in _as_dict(like).items() if _of_variables(name)}
        folder, found = self._verified(step)
        _check_fit(folder, found, wanted, names={*wanted, *filter(_of_variables, found)})
        context = ocp.Context()
        context.pytree.loading.partial_load = True
        with context:
            restored = ocp.load(folder.absolute() / STATE, abstract(wanted))
        return jax.tree.unflatten(jax.tree.structure(like.variables), [restored[name] for name in wanted])

    def _verified(self, step: int) -> tuple[Path, dict[str, list]]:
        """Folder of an intact step, and the shape and dtype of each of its arrays."""
        if step not in self.steps():
            raise CgdmerError(f"{self.folder} has no checkpoint of step {step}; it has {self.steps()}")
        folder = self.folder / str(step)
        verify(folder)
        return folder, read_manifest(folder)["arrays"]


def manifest_sha256(folder: Path) -> str:
    """Names a checkpoint by content: the key of everything cached from it."""
    return file_sha256(folder / MANIFEST)


def _remove(folder: Path) -> None:
    """The manifest goes first, so that half a folder is none."""
    (folder / MANIFEST).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _not_written(folder: Path, error: Exception) -> CgdmerError:
    return CgdmerError(
        f"checkpoint {folder} could not be written ({reason_of(error)}); the earlier ones are untouched: "
        "free some space and give the same command again"
    )


def _check_fit(folder: Path, found: dict[str, list], wanted: dict[str, jax.Array], names: set[str]) -> None:
    expected = _describe(wanted)
    for name in sorted(names):
        if name not in found or name not in expected or found[name] != expected[name]:
            has = "{1}{0}".format(*found[name]) if name in found else "absent"
            needs = "{1}{0}".format(*expected[name]) if name in expected else "none of that name"
            raise CgdmerError(
                f"{folder}: array {name} is {has}, this run needs {needs}; "
                "its config differs from the one that wrote the checkpoint"
            )


def _of_variables(name: str) -> bool:
    return name.partition(".")[2].startswith("variables.")


def _as_dict(state: TrainState) -> dict[str, jax.Array]:
    """Flat, by number and path, so that the order of leaves survives whatever containers optax uses."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {f"{i:05d}{jax.tree_util.keystr(path)}": leaf for i, (path, leaf) in enumerate(leaves)}


def _describe(arrays: dict[str, jax.Array]) -> dict[str, list]:
    return {name: [list(x.shape), str(x.dtype)] for name, x in arrays.items()}
