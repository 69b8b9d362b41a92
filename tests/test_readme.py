"""The README's Python example word for word, and the figures that README and docs/results.md take from results/."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.bad_recordings import clean
from tests.data.ptbxl_root import write_record
from tests.interop.small_model import write_small_model

ROOT = Path(__file__).parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "docs/results.md"
TASKS = ("super", "sub", "form", "rhythm")
# Cited files that were made with uncommitted changes, and why they still stand; no new one may be added.
UNCOMMITTED = {
    "results/ptbxl-nano60-test.json": "the log of test reads, a tracked file then, marked its own commit; "
    "it stands until the headline is run again",
}
# How a row of a table begins -> method, evaluation and variant of its rows in the JSON.
LABELS = {
    "CG-DMER nano, probe": ("cgdmer", "probe", None),
    "same architecture, random weights": ("random_weights", "probe", None),
    "36 amplitudes": ("hand36", "probe", None),
    "random convolutions + ridge": ("random_convolutions", "probe", None),
    "CG-DMER nano, zero-shot": ("cgdmer", "zero_shot", "both"),
}


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


@pytest.mark.parametrize("page", [README, RESULTS], ids=lambda page: page.name)
def test_the_table_of_ptbxl_holds_the_figures_of_its_json(page):
    table = re.search(r"^\| PTB-XL, fold 10.*?\n\n", page.read_text(), re.M | re.S)[0]
    head, _, *lines = table.strip().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")[1:]] == list(TASKS)
    assert len(lines) == len(LABELS)
    for line, (label, key) in zip(lines, LABELS.items(), strict=True):
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        assert name.startswith(label)
        assert cells == [shown("results/ptbxl-nano60-test.json", task, *key) for task in TASKS], name


@pytest.mark.parametrize(
    ("row", "method", "evaluation", "variant"),
    [
        ("zero-shot", "cgdmer", "zero_shot", "en"),
        ("probe", "cgdmer", "probe", None),
        ("`hand36`", "hand36", "probe", None),
        ("random convolutions", "random_convolutions", "probe", None),
    ],
)
def test_the_table_of_the_quickstart_holds_the_figures_of_its_jsons(row, method, evaluation, variant):
    line = re.search(rf"^\| {row} \|(.*)\|$", RESULTS.read_text(), re.M)[1]
    first, untrained, *others = (cell.strip() for cell in line.split("|"))
    file = "results/quickstart-test.json"
    assert shown(file, "findings", method, evaluation, variant).startswith(first)
    if method == "cgdmer":
        assert untrained == shown(file, "findings", "random_weights", evaluation, variant)
        assert len(others) == 2 and all(others)
        for seed, value in enumerate(others, start=1):
            file = f"results/quickstart-seed{seed}-test.json"
            assert shown(file, "findings", method, evaluation, variant).startswith(value)


@pytest.mark.parametrize(("evaluation", "variant"), [("zero_shot", "en"), ("probe", None)])
def test_readme_tells_the_range_of_the_quickstart_over_its_seeds(evaluation, variant):
    files = ["results/quickstart-test.json", *(f"results/quickstart-seed{seed}-test.json" for seed in (1, 2))]
    values = sorted(shown(file, "findings", "cgdmer", evaluation, variant).split()[0] for file in files)
    assert f"{values[0]} to {values[-1]}" in " ".join(README.read_text().split())


def shown(file: str, task: str, method: str, evaluation: str, variant: str | None) -> str:
    """Macro AUROC, as "0.903 [0.894, 0.911]", of the headline feature on all scored records, all labels, all leads."""
    wanted = {"task": task, "method": method, "evaluation": evaluation, "variant": variant, "metric": "auroc"}
    wanted |= {"class": "macro_ge10", "group": "all", "leads": "all", "label_fraction": 1.0, "protocol": "clean"}
    rows = json.loads((ROOT / file).read_text())["rows"]
    found = [row for row in rows if wanted.items() <= row.items() and row["feature"] != "moments"]
    (row,) = found
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def test_a_cited_result_was_made_without_uncommitted_changes():
    """A commit with "+" cannot be checked out again; the exceptions are named above and each is still needed."""
    cited = set(re.findall(r"results/[\w.-]+\.json", README.read_text() + RESULTS.read_text()))
    commits = {name: re.findall(r'"commit": ?"([0-9a-f]{40}\+?)"', (ROOT / name).read_text()) for name in cited}
    assert all(commits.values()), "a cited file does not say by which commit it was made"
    assert {name for name, made_by in commits.items() if any(c.endswith("+") for c in made_by)} == set(UNCOMMITTED)
