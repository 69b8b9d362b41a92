"""The Makefile's first step: a Python that is too old is told before anything is installed."""

import os
import shutil
import subprocess

import pytest

from tests.small_runs import ROOT

OLD = "#!/bin/sh\nexit 1\n"  # what `sys.exit(sys.version_info < (3, 11))` gives there


@pytest.fixture
def old_python(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    file = tmp_path / "venv/bin/python"
    file.parent.mkdir(parents=True)
    file.write_text(OLD)
    file.chmod(0o755)
    return file


def made(*words: str) -> str:
    # `make test` runs this test, and its make would have another one say where it works.
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(
        ["make", "quickstart", *words], cwd=ROOT, env=alone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    return done.stdout


def test_an_old_python_is_told_before_anything_is_installed(old_python, tmp_path):
    assert made(f"PYTHON={old_python}", f"VENV={tmp_path / 'new'}") == (
        f"{old_python} is no Python 3.11 or later; name one: PYTHON=python3.12\n"
    )
    assert not (tmp_path / "new").exists()


def test_an_environment_of_an_old_python_is_told_whatever_python_is_named(old_python, tmp_path):
    printed = made("PYTHON=python3", f"VENV={tmp_path / 'venv'}")
    assert printed == f"{tmp_path / 'venv'} was made with a Python before 3.11; delete it and try again\n"
