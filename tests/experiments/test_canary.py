"""No command tells a report or a patient: a word of every report and of every header is looked for in what it prints.

report.html and predictions.npz hold them on purpose: they are results for the owner of the recordings, no logs.
"""

import re
from pathlib import Path

import pytest

from configs import quickstart
from experiments import convert, embed, evaluate, export_model
from experiments.pretrain import pretrain
from tests.bad_recordings import clean
from tests.data.ptbxl_root import line, write_record, write_root
from tests.data.small_stores import write_store

CANARY = "quokka"
TOLD = re.compile(rf"{CANARY}|\b[pr]\d+\b", re.IGNORECASE)  # reports; patients and records of write_store
REPORTS = [f"{CANARY} number {row}" for row in range(200)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two steps on reports that all hold the canary, and its store."""
    folder = tmp_path_factory.mktemp("canary")
    config = quickstart.get_config()
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part] = {"width": 16, "depth": 1, "heads": 2}
    config.data.update(stores=(write_store(folder / "store", REPORTS, codes=("SR", "AFIB")),), batch_size=8)
    config.optimizer.steps = 2
    config.run.validation_records = 8
    assert pretrain(config, folder / "run") == 0
    assert CANARY in (folder / "run/tokenizer/tokenizer.json").read_text(), "the canary is in no report"
    return folder


@pytest.fixture(scope="module")
def model(folder):
    assert export_model.main([f"--run={folder / 'run'}", f"--out={folder / 'model'}"]) == 0
    return folder / "model"


def assert_silent(capfd, *files: Path) -> None:
    printed = capfd.readouterr()
    assert printed.out, "the command prints nothing, so nothing is tested"
    texts = {"stdout": printed.out, "stderr": printed.err} | {file.name: file.read_text() for file in files}
    for name, text in texts.items():
        assert not TOLD.search(text), f"{name} tells {TOLD.search(text)[0]}"


def test_evaluate(folder, capfd):
    words = [f"--run={folder / 'run'}", f"--store={folder / 'store'}", "--split=validation", "--features=main"]
    parts = "zero_shot,retrieval,missing_leads,reconstruction,groups"  # the others have no text and take long
    assert evaluate.main([*words, "--random_seeds=1", f"--parts={parts}"]) == 0
    out = folder / "run/evaluation/synthetic/validation"
    assert_silent(capfd, out / "results.json")
    assert CANARY in (out / "report.html").read_text(), "the canary is in no report that was evaluated"


def test_export_model(folder, model, capfd):
    """The tokenizer has the words of the training reports; they are what it is."""
    assert export_model.main([f"--run={folder / 'run'}", f"--out={folder / 'again'}"]) == 0
    assert_silent(capfd, *(model / name for name in ("README.md", "config.json", "input.json")))


def test_embed(model, tmp_path, capfd):
    """Headers hold patient fields in comments; one record cannot be read, one is suspicious."""
    for number, digital in enumerate((clean(1), -clean(2), clean(3))):
        write_record(tmp_path / f"own/{number}", digital, 100)
        with (tmp_path / f"own/{number}.hea").open("a") as file:
            file.write(f"# <age>: 63 <sex>: F <diagnoses>: {CANARY} p7\n")
    (tmp_path / "own/2.dat").write_bytes(b"")
    words = [f"--model={model}", f"--records={tmp_path / 'own'}", f"--out={tmp_path / 'embeddings.npz'}"]
    assert embed.main(words) == 0
    assert_silent(capfd)
    assert CANARY.encode() not in (tmp_path / "embeddings.npz").read_bytes()


def test_convert(tmp_path, capfd):
    """A record that cannot be read stands in rejected.csv, without its report."""
    root = write_root(tmp_path / "root", [line(number, report=f"{CANARY} p{number}") for number in range(4)])
    (root / line(2)["filename_lr"]).with_suffix(".dat").unlink()
    words = ["--source=ptbxl", f"--root={root}", f"--out={tmp_path / 'store'}", "--seconds=2", "--processes=1"]
    assert convert.main(words) == 0
    assert_silent(capfd, tmp_path / "store/rejected.csv", tmp_path / "store/dataset.json")
