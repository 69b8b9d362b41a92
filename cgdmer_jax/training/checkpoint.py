"""Checkpoints that exist only when whole: Orbax writes, a sha256 manifest is renamed into place last.

On several hosts all call the same methods at the same steps: Orbax writes each host's part, host 0 does all else. The
folder must be one that all of them share. A save that host 0 finds no room for is left out by all of them together. One
that fails under way ends all: the hosts wait for each other in it, so none of them can go on alone.
"""

import contextlib
import math
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.training.arrays import Leaf, as_dict, check_fit, describe, of_variables
from cgdmer_jax.training.coordination import is_first, of_first
from cgdmer_jax.training.manifest import (
    MANIFEST,
    DamagedCheckpoint,
    read_manifest,
    verify,
    write_manifest,
)
from cgdmer_jax.training.orbax_loops import settle_after_failures
from cgdmer_jax.training.reading import Restored, manifest_sha256, read_steadily
from cgdmer_jax.training.state import TrainState, abstract

STATE = "state"
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)  # of Orbax, TensorStore, or JSON
REMEDY = "free some space and run the same command again"


class NotWritten(CgdmerError):
    """A checkpoint that could not be written; the earlier ones are untouched."""


class Checkpoints:
    """`folder/<step>/{state/,manifest.json}`; keeps the last `keep_last` and the one of lowest validation loss.

    A save of one host that fails, most often for a full disk, leaves nothing behind, is told, and stops no run: only
    when it is the last one does `wait` raise. As a context manager it waits for the save under way when it is left.
    """

    def __init__(self, folder: Path, keep_last: int, tell: Callable[[str], None] = print):
        self.folder = folder
        self.keep_last = keep_last
        self.tell = tell
        self.n_failed = 0
        self._failed: NotWritten | None = None  # of the latest save
        settle_after_failures()
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
        """Starts writing, once the previous save has ended."""
        self._settle()
        step = int(state.step)
        folder = self.folder / str(step)
        if jax.default_backend() == "cpu":
            # On CPU a "host copy" is a view of buffers that the next step donates. JAX 0.10 does not write over what
            # NumPy looks at, but promises nothing; the copy costs what it would allocate instead.
            state = jax.tree.map(jnp.copy, state)
        arrays = as_dict(state)
        n_bytes = sum(array.nbytes for array in arrays.values())
        reason = of_first(f"room for step {step}", lambda: self._make_room(folder, n_bytes))
        if reason is not None:
            self._note_failure(_not_written(folder, reason))
            return
        try:
            with _directories_first():
                response = ocp.save_async(folder.absolute() / STATE, arrays)
        except (OSError, ValueError) as error:
            self._go_on_or_end(_given_up(folder, error), error)
            return
        self._pending = self._writer.submit(self._commit, response, folder, step, validation_loss, describe(arrays))

    def _make_room(self, folder: Path, n_bytes: int) -> str | None:
        """On host 0; the reason where the save had better not begin."""
        try:
            self.remove_unfinished()  # Orbax's threads may write for a while after a save has failed
            _remove(folder)
            folder.mkdir(parents=True)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return reason_of(error)
        if jax.process_count() > 1 and free < n_bytes:  # one host may try: compressed it may fit
            folder.rmdir()
            return f"{free / 1e9:.3g} GB are free there, it may need {n_bytes / 1e9:.3g}"
        return None

    def _commit(self, response, folder: Path, step: int, validation_loss, arrays: dict) -> None:
        try:
            response.result()
            if is_first():
                write_manifest(folder, step, validation_loss, arrays)
                self._prune()
        except (OSError, ValueError) as error:  # Orbax reports a full disk as ValueError
            raise _given_up(folder, error) from error

    def wait(self) -> None:
        """Blocks until the latest save is whole; raises when it could not be written."""
        self._settle()
        failed, self._failed = self._failed, None
        if failed is not None:
            raise NotWritten(f"{failed}: {REMEDY}") from failed

    def _settle(self) -> None:
        """Blocks until the pending save has ended, well or not."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            try:
                pending.result()
                self._failed = None
            except NotWritten as error:
                self._go_on_or_end(error, error)

    def _go_on_or_end(self, failed: NotWritten, cause: Exception) -> None:
        """One host goes on; several cannot, since the others may wait for this one inside the save."""
        if jax.process_count() > 1:
            raise NotWritten(f"{failed}: {REMEDY}") from cause
        self._note_failure(failed)

    def _note_failure(self, error: NotWritten) -> None:
        self._failed = error
        self.n_failed += 1
        with contextlib.suppress(OSError):  # where the output goes may be as full
            self.tell(f"{error}; training continues")

    def steps(self) -> list[int]:
        """Steps with a manifest, oldest first."""
        return sorted(int(p.parent.name) for p in self.folder.glob(f"*/{MANIFEST}") if _is_step(p.parent))

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
            if _is_step(folder) and not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a thread still writes there goes the next time

    def remove_after(self, step: int) -> None:
        """Deletes later steps: a run that resumes before them writes them again."""
        for later in self.steps():
            if later > step:
                _remove(self.folder / str(later))

    def restore_latest(self, like: TrainState, tell: Callable[[str], None]) -> TrainState | None:
        """The newest step whose files are intact; each refused one is named. None when there is none."""
        step = self._agreed("checkpoint of the state", tell)
        return None if step is None else self._load(step, like)

    def restore_latest_variables(self, like: TrainState, tell: Callable[[str], None]) -> Variables | None:
        """The same, of what the method learned alone: the optimiser may be another one, and a run may train there."""
        found = read_steadily(
            self.folder,
            lambda: self._agreed("checkpoint of the variables", tell),
            lambda step: self._load_variables(step, like),
        )
        return None if found is None else found.variables

    def _agreed(self, name: str, tell: Callable[[str], None]) -> int | None:
        """The step that host 0 found intact: files are read through once, and all hosts go on from the same ones."""
        found = of_first(name, lambda: self._newest_intact(tell))
        if found is None:
            return None
        step, sha256 = found
        folder = self.folder / str(step)
        here = manifest_sha256(folder)
        if here != sha256 and (here is not None or jax.process_count() > 1):  # one host may have seen it removed
            raise CgdmerError(f"{folder} is not the checkpoint that host 0 has there; all hosts must share one folder")
        return step

    def _newest_intact(self, tell: Callable[[str], None]) -> tuple[int, str] | None:
        """The step, and the sha256 of its manifest."""
        refused: set[int] = set()
        while steps := [step for step in self.steps() if step not in refused]:
            folder = self.folder / str(steps[-1])
            try:
                verify(folder)
                sha256 = manifest_sha256(folder)
            except DamagedCheckpoint as error:
                if (folder / MANIFEST).exists():
                    tell(str(error))
                    refused.add(steps[-1])
                continue  # with its manifest gone, the run that trains there has removed it
            if sha256 is not None:
                return steps[-1], sha256
        if refused:
            raise CgdmerError(
                f"{self.folder}: none of its {len(refused)} checkpoints is intact; "
                "restore one from a backup, or remove the folder to start again"
            )
        return None

    def restore(self, step: int, like: TrainState) -> TrainState:
        """One step by number, verified."""
        verify(self.folder / str(self._known(step)))
        return self._load(step, like)

    def _load(self, step: int, like: TrainState) -> TrainState:
        wanted = as_dict(like)
        folder, found = self._described(step)
        check_fit(folder, found, wanted, names={*found, *wanted})
        restored = _arrays(folder, wanted)
        return jax.tree.unflatten(jax.tree.structure(like), [restored[name] for name in wanted])

    def restore_variables(self, step: int | None, like: TrainState) -> Restored:
        """Verified variables of one step, or of the latest. A run may be training there meanwhile."""

        def read(chosen: int) -> Variables:
            verify(self.folder / str(chosen))
            return self._load_variables(chosen, like)

        return read_steadily(self.folder, self.latest if step is None else lambda: self._known(step), read)

    def latest(self) -> int:
        """The last step; raises where there is none."""
        steps = self.steps()
        if not steps:
            raise CgdmerError(f"{self.folder} holds no checkpoint; run experiments.pretrain first")
        return steps[-1]

    def _known(self, step: int) -> int:
        steps = self.steps()
        if step not in steps:
            raise CgdmerError(f"{self.folder} has no checkpoint of step {step}; it has {steps}")
        return step

    def _load_variables(self, step: int, like: TrainState) -> Variables:
        wanted = {name: leaf for name, leaf in as_dict(like).items() if of_variables(name)}
        folder, found = self._described(step)
        check_fit(folder, found, wanted, names={*wanted, *filter(of_variables, found)})
        context = ocp.Context()
        context.pytree.loading.partial_load = True
        with context:
            restored = _arrays(folder, wanted)
        return jax.tree.unflatten(jax.tree.structure(like.variables), [restored[name] for name in wanted])

    def _described(self, step: int) -> tuple[Path, dict[str, list]]:
        """Folder of a step, and the shape and dtype of each of its arrays."""
        folder = self.folder / str(step)
        return folder, read_manifest(folder)["arrays"]


def _is_step(folder: Path) -> bool:
    return folder.name.isascii() and folder.name.isdigit()


def _arrays(folder: Path, wanted: dict[str, Leaf]) -> dict[str, jax.Array]:
    """The arrays of a checkpoint whose files are those that its manifest lists."""
    try:
        return ocp.load(folder.absolute() / STATE, abstract(wanted))
    except Exception as error:  # none but those told below is kept
        # Orbax puts what TensorStore says about an array into a bare Exception.
        said = error.__cause__ or error if type(error) is Exception else error
        if type(said) is not Exception and not isinstance(said, UNREADABLE):
            raise
        raise DamagedCheckpoint(
            f"{folder} does not hold the arrays of its {MANIFEST} ({reason_of(said)}); delete this folder, so that "
            "the checkpoint before it is used"
        ) from error


def _directories_first() -> ocp.Context:
    """Made by Orbax's threads, a directory that finds no inode left keeps the others waiting for it for 5 minutes."""
    context = ocp.Context()
    context.asynchronous.create_directories_asynchronously = False
    return context


def _remove(folder: Path) -> None:
    """The manifest goes first, so that half a folder is none."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)  # without its manifest it is unfinished, and removed as such later


def _given_up(folder: Path, error: Exception) -> NotWritten:
    # What was written would keep its space. Of several hosts another one may be writing there, and would name the
    # missing folder as the cause; they all end, and the next start removes it.
    if jax.process_count() == 1 and not (folder / MANIFEST).exists():
        shutil.rmtree(folder, ignore_errors=True)
    return _not_written(folder, reason_of(error))


def _not_written(folder: Path, reason: str) -> NotWritten:
    return NotWritten(f"checkpoint {folder} could not be written ({reason}); the earlier ones are untouched")
