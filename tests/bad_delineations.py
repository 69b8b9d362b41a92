"""Bad requests to delineate, of a toy run."""

from pathlib import Path

from cgdmer_jax.commands import delineate
from tests.bad_runs import REPORTS, toy_run
from tests.data.marked_store import marked_store
from tests.data.small_stores import write_store
from tests.outcome import Outcome, run
from tests.toy_runs import toy_known


def delineation(folder: Path, store: str, out: Path) -> Outcome:
    with toy_known():
        words = [f"--run={toy_run(folder)}", f"--store={store}", f"--out={out}"]
        return run(delineate.main, words, resumes=True)


def store_without_waves(folder: Path) -> Outcome:
    return delineation(folder, write_store(folder / "other", REPORTS), folder / "out.json")


def encoder_without_tokens(folder: Path) -> Outcome:
    """Its store is as long as the recordings that the toy was trained on."""
    return delineation(folder, marked_store(folder / "marked", 10, seconds=1.2), folder / "out.json")
