"""A store of format 3, a run folder and a model folder that commit b09bd52 wrote are read, used and continued today.

tests/golden/make.py made the archive. What is only read must be equal to the byte everywhere. What is computed must be
equal to the bit where the machine and the packages are those of the archive (`machine` in make.py lists them);
elsewhere another instruction set or another XLA rounds differently, and the values must agree within TOLERANCE.
`python -m tests.golden.make --out=FILE` makes an archive here, and GOLDEN=FILE has these tests compare with it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.training.log import TIMED
from tests.golden import make, model_in_use

# Relative to 1 + the value. With XLA's full optimisation for AVX alone the largest difference was 4e-7, of a loss after
# the run had gone on.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden(tmp_path_factory) -> Path:
    """The unpacked archive; only read."""
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(os.environ.get("GOLDEN", make.ARCHIVE)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def copy(golden, tmp_path) -> Path:
    """The same for a command that writes into it."""
    return shutil.copytree(golden, tmp_path / "golden")


@dataclass(frozen=True)
class Comparison:
    """Comparison of numbers computed here with those of the archive."""

    same_machine: bool

    def check(self, found: object, expected: object, name: str, *, tolerance: float = 0.0) -> None:
        """Equal to the bit where no tolerance is given and the machine is the archive's."""
        found, expected = np.asarray(found), np.asarray(expected)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype), name
        tolerance = tolerance if self.same_machine else TOLERANCE
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def same(golden) -> Comparison:
    return Comparison(json.loads((golden / make.EXPECTED / "machine.json").read_text()) == make.machine())


def command(folder: Path, name: str, *words: str) -> None:
    """`python -m experiments.NAME` in a folder where relative paths of the archive lead to its parts."""
    environment = os.environ | {"PYTHONPATH": str(make.ROOT)}
    whole = [sys.executable, "-m", f"experiments.{name}", *words]
    done = subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_store_opens_with_the_same_samples_labels_and_reports(golden):
    expected = json.loads((golden / make.EXPECTED / "store.json").read_text())
    store = open_store(golden / make.STORE)
    assert store.info["format_version"] == 3
    store.verify()
    signal = store.read(np.arange(store.n_rows))
    assert hashlib.sha256(signal.tobytes()).hexdigest() == expected["signal"]
    assert list(signal.shape) == expected["shape"] and store.fingerprint == expected["fingerprint"]
    assert store.column("record_id").tolist() == expected["records"] and list(store.texts) == expected["texts"]
    assert store.labels("findings").sum(0).tolist() == expected["labels"]


def test_the_run_is_evaluated_with_the_same_features_and_figures(copy, same):
    (before,) = (copy / make.RUN / "evaluation").rglob("results.json")
    expected = json.loads(before.read_text())["rows"]
    shutil.rmtree(copy / make.RUN / "evaluation")
    command(copy, "evaluate", *make.EVALUATE)
    (after,) = (copy / make.RUN / "evaluation").rglob("results.json")
    for encoder in ("own", "random"):
        with (
            np.load(make.features_file(after.parent, encoder)) as found,
            np.load(copy / make.EXPECTED / f"features-{encoder}.npz") as wanted,
        ):
            for name in wanted.files:
                same.check(found[name], wanted[name], f"{encoder} {name}")
    figures = ("value", "low", "high")
    rows = {_setting(row, expected[0], figures): row for row in json.loads(after.read_text())["rows"]}
    assert len(expected) > 100
    for row in expected:
        key = _setting(row, expected[0], figures)
        assert key in rows, f"no row of {key}"
        values = [[np.nan if one[name] is None else one[name] for name in figures] for one in (rows[key], row)]
        same.check(*values, str(key))


def _setting(row: dict, fields: dict, figures: tuple[str, ...]) -> tuple:
    """Whose figures a row holds, by the fields that rows of that commit have."""
    return tuple(row[name] for name in fields if name not in figures)


def test_the_run_exports_the_same_weights_to_the_byte(copy):
    command(copy, "export_model", f"--run={make.RUN}", "--out=models/again")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (copy / "models/again" / name).read_bytes() == (copy / make.MODEL / name).read_bytes()


@pytest.mark.filterwarnings("ignore:its first 1 of 1.2 s are used:UserWarning")
def test_the_model_folder_loads_and_gives_the_same_embeddings(golden, same):
    made = model_in_use.use(golden / make.MODEL)
    with np.load(golden / make.EXPECTED / "model.npz") as expected:
        assert made.keys() == set(expected.files)
        for name in set(expected.files) - {"zero_shot"}:
            same.check(made[name], expected[name], name)
        # Since a0ef78e the class vectors are normalised by NumPy and not within the compiled program: the last bits of
        # a similarity are others, those of the embeddings that it compares are not.
        same.check(made["zero_shot"], expected["zero_shot"], "zero_shot", tolerance=1e-6)


def test_the_model_folder_embeds_wfdb_records_as_before(copy, same):
    command(copy, "embed", f"--model={make.MODEL}", f"--records={make.RECORDS}", "--out=made.npz")
    with np.load(copy / "made.npz") as found, np.load(copy / make.EXPECTED / "embeddings.npz") as expected:
        assert found["record"].tolist() == expected["record"].tolist() == ["a", "b"]
        same.check(found["embedding"], expected["embedding"], "embedding")


def test_the_stopped_run_goes_on_by_the_same_command_to_the_metrics_of_the_whole_run(copy, same):
    before = _curve(copy / make.RUN / "metrics.jsonl")
    assert max(record["step"] for record in before) == make.STOPPED_AT
    command(copy, "pretrain", *make.pretrain_words(make.RUN, make.ROOT / "configs/cgdmer.py"))
    found, expected = _curve(copy / make.RUN / "metrics.jsonl"), _curve(copy / make.EXPECTED / "metrics.jsonl")
    assert found[: len(before)] == before
    assert [list(record) for record in found] == [list(record) for record in expected]
    assert found[-1]["step"] == 5
    for one, other in zip(found, expected, strict=True):
        # What is computed by fewer operations than in the archive's commit rounds differently once a run goes on.
        same.check(list(one.values()), list(other.values()), f"step {one['step']}", tolerance=TOLERANCE)


def _curve(path: Path) -> list[dict]:
    return [{name: value for name, value in record.items() if name not in TIMED} for record in read_metrics(path)]
