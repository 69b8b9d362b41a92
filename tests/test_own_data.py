"""docs/own_data.md word for word: its table, its commands and its Python lead from a folder to probabilities."""

import csv
import importlib
import io
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest

from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.synthetic.dataset import generate_records, list_records
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.ptbxl_root import write_record
from tests.small_runs import SMALL

PAGE = (Path(__file__).parents[1] / "docs/own_data.md").read_text()
N, RATE = 30, 200
SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
CLASSES = {"AFIB": "AF", "1AVB": "AVB"}  # of the synthetic hearts; all others are "SR"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def write_recording(file: Path, signal_mv: np.ndarray, number: int) -> str:
    """One recording in one of four formats, by turns; what its table calls it."""
    match number % 4:
        case 0:
            write_record(file, (signal_mv.T * 1000).round().astype("<i2"), RATE)
            return file.name
        case 1:
            np.save(file.with_suffix(".npy"), signal_mv)
            return f"{file.name}.npy"
        case 2:
            np.savetxt(file.with_suffix(".csv"), signal_mv.T, "%.4f", ",", header=",".join(LEADS), comments="")
            return f"{file.name}.csv"
    with h5py.File(file.with_suffix(".h5"), "w") as opened:
        opened["samples"], opened["exam_id"] = signal_mv.T[None].astype(np.float32), [number]
    return f"{file.name}.h5#{number}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the page takes for granted: a folder of recordings, their table, prompts, and new recordings."""
    folder = tmp_path_factory.mktemp("own")
    listed = list_records(0, N, 10.0)
    made = generate_records(0, np.arange(N + 3), RATE, 10.0).signal_mv
    lines = [next(iter(csv.reader([blocks("")[0].splitlines()[0]])))]
    (folder / "hospital/ward").mkdir(parents=True)
    (folder / "new").mkdir()
    for number in range(N):
        name = write_recording(folder / f"hospital/ward/r{number:02d}", made[number], number)
        codes = {CLASSES.get(code, "SR") for code in listed.findings[number]}
        lvh, patient = "LVH" in listed.findings[number], listed.patient_ids[number]
        split = SPLITS[int(patient.strip("P")) % 10]
        age, sex, report = f"{listed.age[number]:g}", listed.sex[number][0], listed.reports[number]
        lines.append(
            [f"ward/{name}", patient, report, age, sex, split, "; ".join(codes), "01"["AF" in codes], "01"[lvh]]
        )
    for number in range(N, N + 3):
        write_record(folder / f"new/n{number}", (made[number].T * 1000).round().astype("<i2"), RATE)
    with (folder / "hospital.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    (folder / "prompts.json").write_text(blocks("json")[0])
    (folder / "configs").symlink_to(Path(__file__).parents[1] / "configs")
    return folder


def test_the_page_leads_from_a_folder_to_probabilities(folder, monkeypatch, capsys):
    """The model is made smaller than the page says, which is all that is changed."""
    monkeypatch.chdir(folder)
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 9
    for command in commands:
        module, *words = shlex.split(command.removeprefix("python -m experiments."))
        more = (
            [word for word in SMALL if ".method." in word]
            if module == "pretrain"
            else ["--processes=1"]
            if module == "convert"
            else []
        )
        assert importlib.import_module(f"cgdmer_jax.commands.{module}").main([*words, *more]) == 0
    store = open_store("stores/hospital")
    assert store.n_records == N and store.tasks == ("finding", "rhythm")[::-1] and store.labelled("finding").all()
    (results,) = Path("runs/hospital/evaluation").glob("*/test/results.json")
    rows = read_results(results)["rows"]
    assert {row["evaluation"] for row in rows} >= {"probe", "zero_shot"}
    assert {row["variant"] for row in rows if row["evaluation"] == "zero_shot"} == {"own"}

    names: dict = {}
    capsys.readouterr()
    for block in blocks("python"):
        exec(block, names)
    printed = capsys.readouterr().out
    assert len(re.findall(r"^\S+: AF \d+%", printed, re.M)) == N
    with Path("new.csv").open(newline="") as file:
        predicted = [*csv.DictReader(file)]
    assert [line["record"] for line in predicted] == ["n30", "n31", "n32"]
    assert all(0 <= float(line["AF"]) <= 1 and line["found"] in ("", "AF", "LVH", "AF;LVH") for line in predicted)
    assert names["store"].n_records == N and names["store"].namespace == "arrays"
    np.testing.assert_array_equal(names["store"].labels("finding")[:, 0], names["has_af"])


def test_the_table_of_the_page_is_one(tmp_path):
    lines = [*csv.reader(io.StringIO(blocks("")[0]))]
    assert {len(line) for line in lines} == {9}
