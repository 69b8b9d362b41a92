"""Import paths that a README of an earlier version showed go on working for one version, and say the new one."""

import os
import subprocess
import sys

from cgdmer_jax import __version__
from tests.small_runs import ROOT

SCRIPT = """
from cgdmer_jax.data.wfdb_reader import RECORD_PROBLEMS, RecordError, Recording, read_wfdb
from cgdmer_jax.data.wfdb_reader import read_wfdb as again
from cgdmer_jax.data.readers import wfdb
print([mine is getattr(wfdb, mine.__name__) for mine in (RecordError, Recording, read_wfdb, again)])
"""


def test_read_wfdb_is_found_under_its_old_path_with_one_line_that_says_the_new_one(tmp_path):
    script = tmp_path / "own.py"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "[True, True, True, True]\n", done.stderr
    warned, line = done.stderr.splitlines()
    assert warned.startswith(f"{script}:2: FutureWarning: cgdmer_jax.data.wfdb_reader is now ")
    assert "cgdmer_jax.data.readers.wfdb;" in warned and line.strip().startswith("from cgdmer_jax.data.wfdb_reader")


def test_old_paths_are_taken_out_with_version_0_2():
    assert __version__.startswith("0.1."), "remove cgdmer_jax/data/wfdb_reader.py and this file"
