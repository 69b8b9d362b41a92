"""A result tells the commit of this project alone, the version beside it, and the whole code in one hash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax import provenance
from cgdmer_jax.recipes.embedding import cached

ROOT = Path(__file__).parents[1]
SETUP = "[metadata]\nname = cgdmer_jax\n"


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(("git", "-C", str(folder), *who, *words), check=True, capture_output=True)


def commit_all(folder: Path) -> None:
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "all")


def put(folder: Path, setup: str | None = SETUP) -> Path:
    """The parts of a checkout that are looked at; the folder of its package."""
    package = folder / "cgdmer_jax"
    package.mkdir(parents=True)
    (package / "provenance.py").write_text("")
    if setup is not None:
        (folder / "setup.cfg").write_text(setup)
    return package


@pytest.fixture
def commit_in(monkeypatch):
    """Commit that is recorded where the package lies in a folder."""

    def asked(package: Path) -> str | None:
        monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
        monkeypatch.setattr(provenance, "PACKAGE", package)
        monkeypatch.setattr(provenance, "CHECKOUT", package.parent)
        return provenance.commit.__wrapped__()

    return asked


def test_the_commit_is_that_of_the_checkout_with_a_plus_where_a_tracked_file_was_changed(
    tmp_path, commit_in, monkeypatch
):
    package = put(tmp_path)
    commit_all(tmp_path)
    own = commit_in(package)
    assert len(own) == 40
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as in a hook of another repository
    assert commit_in(package) == own
    (tmp_path / "untracked.json").write_text("{}")
    assert commit_in(package) == own
    (package / "provenance.py").write_text("changed")
    assert commit_in(package) == own + "+"


def test_a_copy_in_a_virtual_environment_inside_another_repository_has_no_commit(tmp_path, commit_in):
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = somebody_else\n")
    commit_all(tmp_path)
    assert commit_in(put(tmp_path / ".venv/lib/site-packages", setup=None)) is None


@pytest.mark.parametrize(
    ("place", "setup"),
    [
        ("", "[metadata]\nname = another_project\n"),
        ("", "no setup.cfg that can be read"),
        ("", None),
        ("third_party", SETUP),  # the whole project, as a folder of another one
    ],
)
def test_another_project_that_tracks_our_files_is_no_checkout_of_this_one(tmp_path, commit_in, place, setup):
    package = put(tmp_path / place, setup)
    commit_all(tmp_path)
    assert commit_in(package) is None


def test_sources_unpacked_and_never_committed_have_no_commit(tmp_path, commit_in):
    package = put(tmp_path)
    assert commit_in(package) is None
    git(tmp_path, "init")
    assert commit_in(package) is None


def test_the_commit_of_a_process_stays_what_it_was_when_it_was_first_asked(tmp_path):
    """A run that writes into a tracked file of the checkout does not mark itself as changed."""
    shutil.copytree(ROOT / "cgdmer_jax", tmp_path / "cgdmer_jax", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "setup.cfg").write_text(SETUP)
    commit_all(tmp_path)
    code = (
        "from cgdmer_jax.provenance import commit; a = commit(); open('setup.cfg', 'a').write('\\n'); "
        "print(a, commit(), commit.__wrapped__())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second, asked_again = done.stdout.split()
    assert len(first) == 40 and second == first and asked_again == first + "+"


def test_the_version_is_recorded_whether_there_is_a_commit_or_not():
    assert provenance.environment()["cgdmer_jax"] == cgdmer_jax.__version__


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The package elsewhere, as one that is installed: the configs are inside, not behind a link."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(ROOT / "cgdmer_jax", folder / "cgdmer_jax", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def hash_in(folder: Path) -> str:
    code = "from cgdmer_jax import provenance as p; print(p.__file__); print(p.code_sha256())"
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    file, sha256 = done.stdout.split()
    assert Path(file).resolve().is_relative_to(folder.resolve())
    return sha256


def test_an_installed_copy_has_the_hash_of_the_checkout(copied):
    assert (copied / "cgdmer_jax/configs/cgdmer.py").is_file()
    assert hash_in(copied) == provenance.code_sha256()


@pytest.mark.parametrize("name", ["models/ecg/scaling.py", "methods/cgdmer/forward.py", "waveform/conditioning.py"])
def test_a_change_deep_in_the_package_changes_the_hash_of_the_code(copied, name):
    file = copied / "cgdmer_jax" / name
    content = file.read_text()
    file.write_text(content + "\nPLANTED = 1\n")
    try:
        assert hash_in(copied) != provenance.code_sha256()
    finally:
        file.write_text(content)


def test_a_file_that_was_added_renamed_or_exchanged_changes_the_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    found = [provenance.code_sha256.__wrapped__()]
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/a.py").write_text("1")
    found.append(provenance.code_sha256.__wrapped__())
    (tmp_path / "b.py").write_text("2")
    found.append(provenance.code_sha256.__wrapped__())
    (tmp_path / "deep/er/a.py").write_text("2")
    (tmp_path / "b.py").write_text("1")
    found.append(provenance.code_sha256.__wrapped__())
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    found.append(provenance.code_sha256.__wrapped__())
    assert len(set(found)) == len(found)


def test_features_that_other_code_has_cached_are_not_read(tmp_path, monkeypatch):
    lines, made = np.arange(3), []

    def compute(value: float):
        made.append(value)
        return {"main": np.full((3, 2), value, np.float32)}

    cached(tmp_path / "features.npz", lines, ("main",), lambda: compute(1.0))
    assert cached(tmp_path / "features.npz", lines, ("main",), lambda: compute(2.0))["main"][0, 0] == 1.0
    other = tmp_path / "package/models/ecg"
    other.mkdir(parents=True)
    (other / "scaling.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "package")
    monkeypatch.setattr(provenance, "code_sha256", provenance.code_sha256.__wrapped__)  # a process hashes once
    assert cached(tmp_path / "features.npz", lines, ("main",), lambda: compute(3.0))["main"][0, 0] == 3.0
    assert made == [1.0, 3.0]
