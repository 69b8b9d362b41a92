"""report.html is made again, byte for byte, from the files of an evaluation, and without JAX."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cgdmer_jax.commands import report
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.report import make
from cgdmer_jax.report.make import make_report
from cgdmer_jax.sealed_json import sealed
from cgdmer_jax.whole_file import write_json
from tests.flipped_runs import DIAGNOSTICS
from tests.report.example import example_rows, write_example

ROOT = Path(__file__).parents[2]
TRAINING = b">Training</h2>"


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_example(tmp_path / "run", example_rows())


def test_the_command_makes_the_same_bytes_again_and_says_where(folder, capsys):
    page = folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert report.main([f"--evaluation={folder}"]) == 0
    assert page.read_bytes() == before and TRAINING in before
    assert capsys.readouterr().out == f"report: {page}\n"


def test_a_folder_named_from_within_finds_its_run_too(folder, monkeypatch):
    before = (folder / "report.html").read_bytes()
    monkeypatch.chdir(folder)
    assert make_report(Path()).read_bytes() == before
    for step in ("step-50", "step-50/merl"):
        (folder / step).mkdir()
        assert make.read_extras(folder / step).metrics


def test_neither_jax_nor_a_method_is_imported(folder):
    code = (
        "import sys; from cgdmer_jax.commands import report\n"
        f"report.main(['--evaluation={folder}'])\n"
        "sys.exit(bool({'jax', 'flax', 'cgdmer_jax.methods', 'cgdmer_jax.models'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_diagnostics_that_came_later_are_shown(folder):
    assert b">Diagnostics</h2>" not in (folder / "report.html").read_bytes()
    write_json(folder / "diagnostics.json", sealed(DIAGNOSTICS))
    assert b">Diagnostics</h2>" in make_report(folder).read_bytes()


def test_a_page_without_its_training_curves_says_so(folder):
    assert b"no metrics.jsonl" not in (folder / "report.html").read_bytes()
    (folder.parents[2] / "metrics.jsonl").unlink()
    page = make_report(folder).read_bytes()
    assert TRAINING not in page and page.count(b"training curves: the run has no metrics.jsonl") == 1


def test_a_folder_outside_of_a_run_takes_no_curves_from_what_lies_above_it(folder, tmp_path):
    copy = tmp_path / "run/copied/x/y"
    copy.parent.mkdir(parents=True)
    folder.rename(copy)
    page = make_report(copy).read_bytes()
    assert TRAINING not in page and b"One patient" in page


def test_an_evaluation_of_an_older_version_is_asked_for_again(folder):
    (folder / "report.json").unlink()
    with pytest.raises(CgdmerError, match=r"has no report\.json: its evaluation is of an older version"):
        make_report(folder)


def test_results_of_another_evaluation_are_never_shown_with_this_one_s_patient(folder, tmp_path):
    other = write_example(tmp_path / "other", example_rows()[:-1])
    os.replace(other / "results.json", folder / "results.json")
    before = (folder / "report.html").read_bytes()
    with pytest.raises(CgdmerError, match=r"report\.json was not written with the results\.json beside it; run "):
        make_report(folder)
    assert (folder / "report.html").read_bytes() == before


def test_a_folder_without_results_is_told_from_a_damaged_one(folder, tmp_path):
    with pytest.raises(CgdmerError, match=r"holds no results\.json; give the folder that experiments\.evaluate wrote"):
        make_report(tmp_path)


def test_too_large_a_page_is_refused_and_the_old_one_stays(folder, monkeypatch):
    before = (folder / "report.html").read_bytes()
    monkeypatch.setattr(make, "LARGEST_BYTES", len(before) - 1)
    with pytest.raises(CgdmerError, match=r"report\.html would hold .* bytes, more than .*; evaluate with fewer"):
        make_report(folder)
    assert (folder / "report.html").read_bytes() == before
