"""A format and a collection are added by the two diffs that the pages show, and by nothing else."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.store.store import open_store

ROOT = Path(__file__).parents[1]
DIFFS = {
    page: re.findall(r"```diff\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    for page in (
        "docs/formats.md",
        "docs/datasets.md",
    )
}
LEADS = ("II", "I", "V1")
N_RECORDINGS = 12
USED = """
import json, sys
from pathlib import Path
from cgdmer_jax.commands.convert import main
from cgdmer_jax.data.readers.found_records import find_recordings
from cgdmer_jax.data.text.prompts import load_prompts
import cgdmer_jax
root, out = Path(sys.argv[1]), sys.argv[2]
flags = [f"--root={root}", "--rate=250", "--seconds=2", "--processes=1"]
own = [f"--table={root / 'list.csv'}", "--columns=record=file,patient=patient"]
codes = [main(["--source=toy", *flags, f"--out={out}/toy"]), main(["--source=table", *flags, *own, f"--out={out}/own"])]
found = [one.path.name for one in find_recordings(root).recordings]
prompts = {code: len(of["en"]) for code, of in load_prompts("toy")["rhythm"].items()}
told = {"codes": codes, "found": found, "prompts": prompts, "package": cgdmer_jax.__file__}
Path(f"{out}/told.json").write_text(json.dumps(told))
"""


def signal_uv(number: int) -> np.ndarray:
    return np.round(700 * np.sin(np.arange(500) / (7 + number) + np.arange(3)[:, None]) + 20 * number).astype("<i2")


@pytest.fixture
def changed(tmp_path) -> Path:
    """A folder with a copy of the package to which both diffs were applied."""
    shutil.copytree(ROOT / "cgdmer_jax", tmp_path / "copy/cgdmer_jax", ignore=shutil.ignore_patterns("__pycache__"))
    assert [len(found) for found in DIFFS.values()] == [1, 1]
    for diff in DIFFS.values():
        subprocess.run(
            ["git", "--git-dir=/dev/null", "apply", "-"], input=diff[0], text=True, cwd=tmp_path / "copy", check=True
        )
    return tmp_path / "copy"


def test_a_format_and_a_collection_that_the_pages_add_go_from_files_to_stores(changed, tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir(), out.mkdir()
    lines = [("file", "patient", "rhythm")]
    for number in range(N_RECORDINGS):
        content = f"TOYECG 250 {','.join(LEADS)}\n".encode() + signal_uv(number).tobytes()
        (root / f"r{number:02}.toy").write_bytes(content)
        lines.append((f"r{number:02}.toy", f"p{number // 2}", ("SR", "AFIB")[number % 2]))
    with (root / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    subprocess.run([sys.executable, "-c", USED, str(root), str(out)], cwd=changed, check=True)
    told = json.loads((out / "told.json").read_text())
    assert told["package"].startswith(str(changed)) and told["codes"] == [0, 0]
    assert told["found"] == [name for name, *_ in lines[1:]] and told["prompts"] == {"SR": 3, "AFIB": 3}
    for name in ("toy", "own"):
        store = open_store(out / name)
        signal = store.read(np.arange(N_RECORDINGS))
        for number in range(N_RECORDINGS):
            np.testing.assert_array_equal(signal[number, [1, 0, 6]], signal_uv(number))
        assert store.column("patient_id").tolist() == [patient for _, patient, _ in lines[1:]]
    assert open_store(out / "toy").labels("rhythm").tolist() == [[True, False], [False, True]] * (N_RECORDINGS // 2)
