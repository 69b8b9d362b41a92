"""Folders that an evaluation writes: other figures stay, nothing is written beside the program, no path is told."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax import provenance
from cgdmer_jax.commands import evaluate
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation import evaluate as evaluation
from cgdmer_jax.evaluation.evaluation_folders import scored_folder
from cgdmer_jax.evaluation.parts import PARTS
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.npz_file import write_arrays
from cgdmer_jax.recipes.embedding import cached
from cgdmer_jax.recipes.export import figures
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from tests.data.small_stores import write_store
from tests.outcome import run as run_command
from tests.small_runs import ROOT
from tests.toy_runs import toy_config, toy_known

ASKED = {"features": None, "random_seeds": 0, "kernels": 4, "parts": ("zero_shot",)}
REPORTS = [f"report number {row % 7}" for row in range(400)]
FINDINGS = ("SR", "AFIB", "LBBB")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of the toy on one of two stores of the same collection."""
    folder = tmp_path_factory.mktemp("folders")
    own = write_store(folder / "own", REPORTS, codes=FINDINGS)
    write_store(folder / "other", REPORTS, codes=FINDINGS, first_value=700)
    with toy_known():
        assert pretrain(toy_config(own), folder / "run") == 0
        yield folder


def scores(folder: Path, store: str, step: int | None = None, split: str = "validation"):
    return evaluation.evaluate(folder / "run", str(folder / store), split, checkpoint=step, **ASKED)


def origins(folder: Path) -> dict[str, dict]:
    """Origin of every results.json, by folder."""
    found = (folder / "run/evaluation").rglob("results.json")
    return {str(f.parent.relative_to(folder / "run/evaluation")): read_results(f)["origin"] for f in found}


def test_two_stores_and_two_checkpoints_of_a_run_each_keep_their_figures_in_any_order(folder):
    own, other = (open_corpus((str(folder / name),)) for name in ("own", "other"))
    for store, step in (("other", None), ("own", None), ("own", 4), ("other", 4), ("other", None)):
        scores(folder, store, step)
    named = f"synthetic-{other.fingerprint[:8]}"
    expected = {
        f"{name}/validation{step}": (fingerprint, 4 if step else 6)
        for name, fingerprint in (("synthetic", own.fingerprint), (named, other.fingerprint))
        for step in ("", "/step-4")
    }
    assert {name: (o["store"], o["step"]) for name, o in origins(folder).items()} == expected
    found = scored_folder(folder / "run", other, "validation")
    assert found == folder / "run/evaluation" / named / "validation"
    assert scored_folder(folder / "run", other, "test") is None


def test_a_model_card_has_the_figures_of_its_checkpoint_once_each(folder):
    scores(folder, "other")
    scores(folder, "own")
    scores(folder, "own", 6)  # the last one, asked for by its step
    shown = figures(load_run(folder / "run", None))
    assert shown and len(set(shown)) == len(shown)
    other = open_corpus((str(folder / "other"),)).fingerprint[:8]
    assert {figure.store for figure in shown} == {"synthetic", f"synthetic-{other}"}


def test_a_look_at_a_test_split_is_noted_in_the_folder_of_the_run(folder, monkeypatch):
    before = (ROOT / "results/test_reads.jsonl").read_bytes(), changed_files()
    monkeypatch.setattr(evaluation, "EMBEDDED", "no collection is")
    scores(folder, "own", split="test")
    scores(folder, "own", split="validation")
    (noted,) = map(json.loads, (folder / "run/test_reads.jsonl").read_text().splitlines())
    assert noted["store"] == open_corpus((str(folder / "own"),)).fingerprint
    written = read_results(folder / "run/evaluation/synthetic/test/results.json")
    assert (noted["command"], noted["commit"]) == (written["command"], written["commit"])
    assert (noted["commit"], noted["checkpoint"]) == (provenance.commit(), written["origin"]["checkpoint"])
    assert ((ROOT / "results/test_reads.jsonl").read_bytes(), changed_files()) == before
    (folder / "run/test_reads.jsonl").unlink()


def test_a_look_that_fails_half_way_is_noted_and_its_commit_was_asked_for_before_anything_was_written(
    folder, monkeypatch
):
    order = []

    def ask() -> str:
        order.append(("commit", noted.exists()))
        return "a commit"

    def fail(*_) -> None:
        order.append(("probe", noted.exists()))
        raise CgdmerError("half way")

    noted = folder / "run/test_reads.jsonl"
    monkeypatch.setattr(evaluation, "EMBEDDED", "no collection is")
    monkeypatch.setattr(provenance, "commit", ask)
    monkeypatch.setitem(PARTS, "probe", fail)
    with pytest.raises(CgdmerError, match="half way"):
        scores(folder, "own", split="test")
    assert order == [("commit", False), ("probe", True)]
    assert json.loads(noted.read_text())["commit"] == "a commit"
    noted.unlink()


def changed_files() -> str:
    """Tracked files of this checkout that differ from its commit."""
    words = ["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_a_folder_that_cannot_be_written_is_told_before_the_work(folder, monkeypatch):
    monkeypatch.setattr(evaluation, "embed_records", lambda *_: pytest.fail("it was scored first"))
    (folder / "run/evaluation/synthetic/test/step-4").parent.mkdir(parents=True, exist_ok=True)
    (folder / "run/evaluation/synthetic/test/step-4").write_text("a file in the place of the folder")
    with pytest.raises(FileExistsError):
        scores(folder, "own", 4, split="test")


def test_what_an_evaluation_writes_does_not_tell_where_it_was_made(folder):
    words = [f"--run={folder / 'run'}", f"--store={folder / 'own'}", "--split=validation", "--random_seeds=0"]
    assert run_command(evaluate.main, [*words, "--parts=zero_shot,retrieval"]).code == 0
    out = folder / "run/evaluation/synthetic/validation"
    assert "--run=.../run --store=.../own" in read_results(out / "results.json")["command"]
    texts = [file for file in out.rglob("*") if file.suffix in (".json", ".html", ".npz")]
    assert len(texts) >= 3
    for file in texts:
        for place in (str(folder), str(folder.parent), str(Path.home()) + "/", str(ROOT)):
            assert place.encode() not in file.read_bytes(), f"{file.name} tells {place}"


def test_cached_features_are_whole_or_made_again(tmp_path, capsys):
    """Every byte in turn, in the headers of the archive too; of others records they are never read."""
    lines, features = np.arange(4), {"main": np.arange(8, dtype=np.float32).reshape(4, 2)}
    cached(tmp_path / "features.npz", lines, ["main"], lambda: features)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for at in range(len(content)):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        found = cached(tmp_path / "features.npz", lines, ["main"], lambda: features)
        assert found.keys() == features.keys() and np.array_equal(found["main"], features["main"]), at
    for damaged in (b"", content[:-40], b"x" * 99):
        file.write_bytes(damaged)
        cached(tmp_path / "features.npz", lines, ["main"], lambda: features)
        assert file.read_bytes() == content
    whole = features["main"]
    for others in ({"aligned": whole}, {"main": whole[:3]}, {"main": whole[0]}, {"main": whole.astype(np.int32)}, {}):
        write_arrays(file, others, compress=False)
        capsys.readouterr()
        assert cached(tmp_path / "features.npz", lines, ["main"], lambda: features) is features
        told = f"{file} does not hold main of 4 records; it is made again\n"
        assert capsys.readouterr().out == told and file.read_bytes() == content
    other = {"main": features["main"] + 1}
    assert cached(tmp_path / "features.npz", lines[::-1].copy(), ["main"], lambda: other) is other
