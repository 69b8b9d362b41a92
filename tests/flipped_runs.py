"""A run folder and a model folder, written whole, and what a program reads of them after a bit was flipped."""

import contextlib
import io
import warnings
from hashlib import sha256
from pathlib import Path

import jax
import numpy as np

from cgdmer_jax import load
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import Setting, plain_row, read_results, write_results
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.npz_file import read_arrays, write_arrays
from cgdmer_jax.recipes.embedding import cached
from cgdmer_jax.recipes.export import figures
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.report.contents import read_contents, write_contents
from cgdmer_jax.report.diagnostics import read_section
from cgdmer_jax.report.json_fields import to_json
from cgdmer_jax.report.make import make_report
from cgdmer_jax.sealed_json import sealed
from cgdmer_jax.whole_file import write_json
from tests.data.small_stores import write_store
from tests.interop.small_model import write_small_model
from tests.report.example import example_contents
from tests.toy_runs import toy_config, toy_known
from tests.waveform.test_conditioning import heart

REPORTS = [f"report number {row}" for row in range(60)]
SETTING = Setting("synthetic", "test", "toy", "run", "main", 1, "probe", "findings", "in", "labels", False)
EVALUATED = "evaluation/synthetic/test"
LINES = np.arange(7)
TABLES = ("gradients", "ranks", "predictability", "gap", "probes", "lengths")
DIAGNOSTICS = {name: [] for name in TABLES} | {
    "command": "python -m experiments.diagnose",
    "step": 6,
    "store": "synthetic",
    "split": "test",
    "gradients": [{"term": "align", "norm": 0.25, "weight": 1.0, "weighted_norm": 0.25}],
    "seconds": 1.0,
}


def make_run(folder: Path) -> None:
    """Trained, scored and diagnosed, with the caches of an evaluation."""
    store = write_store(folder.with_name("store-of-run"), REPORTS)
    with toy_known(), contextlib.redirect_stdout(io.StringIO()):
        assert pretrain(toy_config(store), folder) == 0
        checkpoint = load_run(folder, None).checkpoint
    row = plain_row(SETTING, "auroc", "macro_ge10", 0.8125, n=6, n_positive=3)
    write_results(folder / EVALUATED / "results.json", "python -m x", [row], {"checkpoint": checkpoint})
    write_contents(folder / EVALUATED, example_contents(folder / EVALUATED / "results.json"))
    write_json(folder / EVALUATED / "diagnostics.json", sealed(DIAGNOSTICS))
    arrays = {"scores": np.arange(12.0), "record_id": np.array(["r1", "r2"])}
    write_arrays(folder / EVALUATED / "predictions.npz", arrays, compress=True)
    _features(folder)


def _features(folder: Path) -> dict[str, np.ndarray]:
    main = np.arange(7, dtype=np.float32)[:, None]
    return cached(folder / EVALUATED / "features.npz", LINES, ("main",), lambda: {"main": main})


def run_values(folder: Path) -> object:
    """All that going on, evaluating, exporting and the report read of a run."""
    return repr(list(run_parts(folder).values()))


def run_parts(folder: Path) -> dict[str, object]:
    """The same by name; equal where equal values hold NaN."""
    with toy_known(), contextlib.redirect_stdout(io.StringIO()):
        run = load_run(folder, None)
        shown, features = figures(run), _features(folder)
    scored = folder / EVALUATED
    predictions = read_arrays(scored / "predictions.npz", remedy="evaluate again")
    return {
        "config": run.config.to_json(),
        "contract": repr(run.contract),
        "tokenizer": run.tokenizer.to_str(),
        "starts": repr(run.folder.starts()),
        "checkpoint": (run.step, run.checkpoint),
        "weights": bytes_of(run.variables),
        "metrics": repr(read_metrics(run.folder.metrics)),
        "figures": repr(shown),
        "results": repr(read_results(scored / "results.json")),
        "diagnostics": repr(read_section(scored / "diagnostics.json")),
        "report": (to_json(read_contents(scored)), make_report(scored).read_bytes()),
        "predictions": {name: (array.dtype, array.tobytes()) for name, array in predictions.items()},
        "features": {name: array.tobytes() for name, array in features.items()},
    }


def bytes_of(tree: object) -> list[tuple[str, bytes]]:
    """Dtype and bytes of every array."""
    return [(str(array.dtype), array.tobytes()) for array in map(np.asarray, jax.tree.leaves(tree))]


def make_model(folder: Path) -> None:
    write_small_model(folder)


def model_values(folder: Path) -> object:
    """Everything that a user of the folder gets and reads."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        values = model_parts(folder)
    if told:
        raise CgdmerError(str(told[0].message))
    return repr((list(values.values()), sha256((folder / "README.md").read_bytes()).hexdigest()))


def model_parts(folder: Path) -> dict[str, object]:
    """The same by name, but for the card."""
    encoder = load(folder)
    about = {"rate": 500, "leads": encoder.contract.leads, "unit": "mV"}
    with warnings.catch_warnings(action="ignore"):  # of the recording
        return {
            "contract": repr(encoder.contract),
            "embedding": encoder.embed(heart(500), **about).tobytes(),
            "text embedding": encoder.embed_text(["sinus rhythm. normal ecg."]).tobytes(),
            "zero-shot": repr(encoder.zero_shot(heart(500), {"AFIB": "atrial fibrillation"}, **about)),
        }
