"""Import paths that the pages of an earlier version showed go on working for one version, and say the new one."""

import os
import subprocess
import sys

import pytest

from cgdmer_jax import __version__
from tests.small_runs import ROOT

# Old module, names taken from it, new module, and what the warning calls old and new.
MOVED = [
    ("data.wfdb_reader", "RECORD_PROBLEMS, RecordError, Recording, read_wfdb", "data.readers.wfdb", ""),
    ("data.store", "open_store", "data.store.store", ".open_store"),
    ("data.store", "Store", "data.store.store", ".Store"),
    ("models.text_states", "TextStates, mean_of_tokens, tied_logits", "models.text.states", ""),
]
SCRIPT = """
from cgdmer_jax.{old} import {names}
found = [{names}]
from cgdmer_jax.{new} import {names}
print(all(one is other for one, other in zip(found, [{names}], strict=True)))
"""


@pytest.mark.parametrize(("old", "names", "new", "said"), MOVED, ids=lambda value: value.split(",")[0])
def test_an_old_path_is_found_with_one_line_that_says_the_new_one(old, names, new, said, tmp_path):
    script = tmp_path / "own.py"
    script.write_text(SCRIPT.format(old=old, names=names, new=new))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
    warned, line = done.stderr.splitlines()
    assert warned.startswith(f"{script}:2: FutureWarning: cgdmer_jax.{old}{said} is now cgdmer_jax.{new}{said};")
    assert line.strip() == f"from cgdmer_jax.{old} import {names}"


def test_a_name_that_was_never_there_is_an_import_error():
    with pytest.raises(ImportError, match="open_shop"):
        from cgdmer_jax.data.store import open_shop  # noqa: F401


def test_old_paths_are_taken_out_with_version_0_2():
    files = "data/wfdb_reader.py, models/text_states.py, MOVED in data/store/__init__.py"
    assert __version__.startswith("0.1."), f"remove from cgdmer_jax: {files}; and this file"
