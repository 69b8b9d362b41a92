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
DELINEATION = ROOT / "docs/delineation.md"
TASKS = ("super", "sub", "form", "rhythm")
HEADLINE = "results/ptbxl-nano-test.json"
# How a row of a table begins -> method, feature, evaluation and variant of its rows in the JSON.
LABELS = {
    "CG-DMER nano, probe": ("cgdmer", "main", "probe", None),
    "same architecture, random weights": ("random_weights", "main", "probe", None),
    "36 amplitudes": ("hand36", "hand36", "probe", None),
    "random convolutions + ridge": ("random_convolutions", "ridge", "probe", None),
    "both beside each other": ("cgdmer", "main+random_convolutions", "probe", None),
    "CG-DMER nano, zero-shot": ("cgdmer", "aligned", "zero_shot", "both"),
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
        assert cells == [shown(HEADLINE, task, *key) for task in TASKS], name


def test_the_table_of_delineation_holds_the_figures_of_its_json():
    table = re.search(r"^\| method \| leads \| P .*?(?=\n\n|\Z)", DELINEATION.read_text(), re.M | re.S)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    assert len(lines) == 2 * len([line for line in lines if line[-1]])
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        (file,) = re.findall(r"\(\.\./(results/.*)\)", first[-1])
        rows = json.loads((ROOT / file).read_text())["rows"]
        found = {(r["leads"], r["wave"]): r for r in rows if r["metric"] == "boundary_f1"}
        for _, leads, *cells, _ in (first, second):
            of_waves = [found[leads, wave] for wave in ("P", "QRS", "T", "macro")]
            assert cells == [f"{row['value']:.3f} ± {row['sd']:.3f}" for row in of_waves], first[0]


def test_the_table_of_fine_tuning_holds_the_figures_of_its_json():
    scratch, floor, probe = "finetune/cgdmer/main/scratch", "probe/random_convolutions/ridge", "probe/cgdmer/main"
    own, shares = "finetune/cgdmer/main/pretrained", {"all": 1.0, "10 %": 0.1, "1 %": 0.01}
    document = json.loads((ROOT / "results/ptbxl-nano-finetuned.json").read_text())
    found = {(row["name"], row["task"], row["label_fraction"]): row for row in document["rows"]}
    table = re.search(r"^\| fine-tuned on.*?\n\n", RESULTS.read_text(), re.M | re.S)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    assert [line[:2] for line in lines] == [[task, share] for task in ("super", "sub") for share in shares]
    for task, share, *cells in lines:
        of_share = [found[name, task, shares[share]] for name in (own, scratch, probe, floor)]
        less = {one["reference"]: one for one in of_share[0]["differences"]}
        values = [f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" for row in of_share]
        paired = [less[name] for name in (scratch, floor, probe)]
        assert cells == values + [f"{d['value']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]" for d in paired]


@pytest.mark.parametrize(
    ("row", "method", "feature", "evaluation", "variant"),
    [
        ("zero-shot", "cgdmer", "aligned", "zero_shot", "en"),
        ("probe", "cgdmer", "main", "probe", None),
        ("`hand36`", "hand36", "hand36", "probe", None),
        ("random convolutions", "random_convolutions", "ridge", "probe", None),
    ],
)
def test_the_table_of_the_quickstart_holds_the_figures_of_its_jsons(row, method, feature, evaluation, variant):
    line = re.search(rf"^\| {row} \|(.*)\|$", RESULTS.read_text(), re.M)[1]
    first, untrained, *others = (cell.strip() for cell in line.split("|"))
    file = "results/quickstart-test.json"
    assert shown(file, "findings", method, feature, evaluation, variant).startswith(first)
    if method == "cgdmer":
        assert untrained == shown(file, "findings", "random_weights", feature, evaluation, variant)
        assert len(others) == 2 and all(others)
        for seed, value in enumerate(others, start=1):
            file = f"results/quickstart-seed{seed}-test.json"
            assert shown(file, "findings", method, feature, evaluation, variant).startswith(value)


@pytest.mark.parametrize(
    ("feature", "evaluation", "variant"), [("aligned", "zero_shot", "en"), ("main", "probe", None)]
)
def test_readme_tells_the_range_of_the_quickstart_over_its_seeds(feature, evaluation, variant):
    files = ["results/quickstart-test.json", *(f"results/quickstart-seed{seed}-test.json" for seed in (1, 2))]
    values = sorted(shown(file, "findings", "cgdmer", feature, evaluation, variant).split()[0] for file in files)
    assert f"{values[0]} to {values[-1]}" in " ".join(README.read_text().split())


def shown(file: str, task: str, method: str, feature: str, evaluation: str, variant: str | None) -> str:
    """Macro AUROC, as "0.903 [0.894, 0.911]", on all scored records, with all labels and all leads."""
    wanted = {"task": task, "method": method, "feature": feature, "evaluation": evaluation, "variant": variant}
    wanted |= {"metric": "auroc", "class": "macro_ge10", "group": "all", "leads": "all", "label_fraction": 1.0}
    (row,) = [row for row in json.loads((ROOT / file).read_text())["rows"] if wanted.items() <= row.items()]
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def test_a_cited_result_was_made_without_uncommitted_changes():
    """A commit with "+" cannot be checked out again."""
    cited = set(re.findall(r"results/[\w.-]+\.json\b", README.read_text() + RESULTS.read_text()))
    commits = {name: re.findall(r'"commit": ?"([0-9a-f]{40}\+?)"', (ROOT / name).read_text()) for name in cited}
    assert all(commits.values()), "a cited file does not say by which commit it was made"
    assert not [name for name, made_by in commits.items() if any(c.endswith("+") for c in made_by)]
