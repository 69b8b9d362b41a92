"""No command tells a report or a patient: a word of every report and of every header is looked for in what it prints.

report.html, report.json and predictions.npz hold them on purpose: results for the owner of the recordings, no logs.
"""

import getpass
import json
import re
import socket
from hashlib import sha256
from pathlib import Path

import pytest

from cgdmer_jax.commands import convert, embed, evaluate, export_model
from cgdmer_jax.data.text.tokenizer import SPECIAL_TOKENS
from cgdmer_jax.recipes.pretrain import pretrain
from configs import quickstart
from tests.bad_recordings import clean
from tests.data.ptbxl_root import line, write_record, write_root
from tests.data.small_stores import write_store

CANARY = "quokka"
SURNAME = "wombatowski"  # in the reports of four patients, one fewer than a vocabulary asks for
TOLD = re.compile(rf"{CANARY}|\b[pr]\d+\b", re.IGNORECASE)  # reports; patients and records of write_store
REPORTS = [f"{CANARY} number {row}" + f" {SURNAME}" * (row < 4) for row in range(200)]


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
    assert export_model.main([f"--run={folder / 'run'}", f"--out={folder / 'again'}"]) == 0
    assert_silent(capfd, *(model / name for name in ("README.md", "config.json", "input.json")))


def test_the_model_folder_holds_no_word_of_few_patients(model):
    """The tokenizer has words of the training reports; which ones, the card says."""
    vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    pieces = {entry.removeprefix("##") for entry in vocabulary} - {*SPECIAL_TOKENS}
    assert {piece for piece in pieces if len(piece) > 1 and piece not in f"{CANARY} number"} == set()
    assert {*SURNAME} <= pieces, "letters that stand in no other word are there all the same"
    assert "stands in those of at least 5 patients" in (model / "README.md").read_text()
    assert_nowhere(model, SURNAME)


def test_the_model_folder_tells_neither_who_was_trained_on_nor_where(folder, model):
    patients = [f"p{row}" for row in range(200)]
    hashes = [sha256(f"{prefix}{one}".encode()).hexdigest() for one in patients for prefix in ("", "synthetic:")]
    assert_nowhere(model, str(folder), folder.name, str(Path.cwd()), getpass.getuser(), socket.gethostname(), *hashes)
    assert json.loads((model / "input.json").read_text())["trained_on"][0]["n_patients"] == 160
    assert "- synthetic: 160 patients" in (model / "README.md").read_text()


def assert_nowhere(folder: Path, *words: str) -> None:
    for file in folder.rglob("*"):
        content = file.read_bytes()
        assert not [word for word in words if len(word) > 3 and word.encode() in content], file


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
