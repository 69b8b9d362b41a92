"""Where the results of an evaluation stand in a run folder; no two stores or asked-for checkpoints share a place."""

import tempfile
from pathlib import Path

from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import RESULTS, read_results
from cgdmer_jax.training.run_folder import RunFolder


def folder_of(run: RunFolder, contract: InputContract, corpus: Corpus, split: str) -> Path:
    """evaluation/<store>/<split>, where cached features lie too (their names say of what they are)."""
    return run.evaluation / store_name(contract, corpus) / split


def folder_of_step(folder: Path, asked: int | None) -> Path:
    """The folder itself for the last checkpoint; a checkpoint that was asked for by its step has one of its own."""
    return folder if asked is None else folder / f"step-{asked}"


def store_name(contract: InputContract, corpus: Corpus) -> str:
    """Name of the collection for the store that the run was trained on; any other store adds its fingerprint."""
    name = corpus.stores[0].namespace
    of_collection = [part.fingerprint for part in contract.trained_on if part.name == name]
    return name if of_collection[:1] == [corpus.fingerprint] else f"{name}-{corpus.fingerprint[:8]}"


def check_writable(out: Path) -> None:
    """Makes the folder, and raises OSError (with the folder and the reason) where nothing can be written in it."""
    out.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out).close()


def scored_folder(run: Path, corpus: Corpus, split: str, part: str = "") -> Path | None:
    """Where the run's last checkpoint was scored on this very store, None where it was not.

    `part`: folder below it, of protocol merl or of what was fine-tuned.
    """
    for file in sorted(RunFolder(run).evaluation.glob(f"*/{Path(split, part)}/{RESULTS}")):
        if read_results(file)["origin"].get("store") == corpus.fingerprint:
            return file.parent
    return None


def needed_folder(run: Path, corpus: Corpus, split: str) -> Path:
    """The same of a run that must have been scored."""
    folder = scored_folder(run, corpus, split)
    if folder is None:
        raise CgdmerError(
            f"{run} was not scored on the {split} split of store {corpus.stores[0].path}; "
            "run experiments.evaluate with it first"
        )
    return folder
