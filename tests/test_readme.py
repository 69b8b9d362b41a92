"""The README's Python example, word for word, beside a model and a recording of the names it uses."""

import re
from pathlib import Path

import numpy as np

from tests.bad_recordings import clean
from tests.data.ptbxl_root import write_record
from tests.interop.small_model import write_small_model

README = Path(__file__).parents[1] / "README.md"


def test_the_python_example_runs_as_it_stands(tmp_path, monkeypatch):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    write_small_model(tmp_path / "models/quickstart")
    write_record(tmp_path / "recordings/patient1", clean(1), 100)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(example, names)
    assert names["vector"].shape == (32,) and names["scores"].shape == (2,) and names["report"].shape == (1, 12)
    assert all(np.isfinite(names[name]).all() for name in ("vector", "scores", "report"))
