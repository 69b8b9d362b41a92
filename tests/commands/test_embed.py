"""A user's own folder of WFDB records to embeddings, by the command."""

import os
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax import load
from cgdmer_jax.commands.embed import main
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.recipes.embed_recordings import embed_folder
from cgdmer_jax.waveform.conditioning import LEADS
from tests.bad_recordings import clean, swapped
from tests.data.ptbxl_root import write_record
from tests.data.written_recordings import write_code, write_edf
from tests.interop.small_model import write_small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three usable records, one of them suspicious, of two rates; and one that is cut."""
    folder = tmp_path_factory.mktemp("own")
    write_record(folder / "records/a", clean(1), 100)
    write_record(folder / "records/deep/b", swapped(clean(2)).astype("<i2"), 100)
    write_record(folder / "records/c", np.repeat(clean(3), 5, axis=0), 500)
    write_record(folder / "records/d", clean(4), 100)
    (folder / "records/d.dat").write_bytes(b"")
    write_small_model(folder / "model")
    return folder


def test_every_usable_record_is_embedded_and_the_others_are_named(folder, tmp_path, capsys):
    words = [f"--model={folder / 'model'}", f"--records={folder / 'records'}", f"--out={tmp_path / 'e.npz'}"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "c: gaps or clipped samples in I, II, III" in printed  # every sample stands there five times
    assert "d: left out: record" in printed and "has 0 bytes, its header promises 4,800" in printed
    assert "deep/b: arm electrodes perhaps exchanged" in printed
    assert printed.endswith("main of 3 records, 32 wide; 1 left out; something looks wrong in 2, see above\n")
    with np.load(tmp_path / "e.npz") as made:
        assert made["record"].tolist() == ["a", "c", "deep/b"]
        expected = load(folder / "model").embed(clean(1).T / 1000, 100, LEADS, "mV")
        np.testing.assert_allclose(made["embedding"][0], expected, atol=1e-5)


@pytest.fixture
def records(tmp_path):
    write_record(tmp_path / "records/a", clean(1), 100)
    return tmp_path / "records"


def embedded(folder, records, *more: str) -> dict:
    out = records.parent / "e.npz"
    assert main([f"--model={folder / 'model'}", f"--records={records}", f"--out={out}", *more]) == 0
    with np.load(out) as made:
        return dict(made)


def header_only(record: Path, file_name: str) -> None:
    write_record(record, clean(3), 100)
    header = record.with_name(record.name + ".hea")
    header.write_text(header.read_text().replace(f"{record.name}.dat", file_name))


def test_a_record_that_cannot_be_read_is_left_out_and_costs_the_others_nothing(folder, records, capsys):
    write_record(records / "z", clean(2), 100)
    header_only(records / "long", "x" * 300 + ".dat")
    write_record(records / "folder", clean(3), 100)
    (records / "folder.dat").unlink()
    (records / "folder.dat").mkdir()
    (records / "gone.hea").symlink_to(records / "nowhere")
    (records / "own.hea").symlink_to(records / "own.hea")
    os.mkfifo(records / "pipe.hea")
    (records / "x.edf").write_bytes(b"0")
    made = embedded(folder, records)
    assert made["record"].tolist() == ["a", "z"]
    printed = capsys.readouterr().out
    for name in ("long", "folder", "gone", "own", "pipe"):
        assert f"{name}: left out: record" in printed
    assert "x.edf: left out: record" in printed and "ends inside the header" in printed
    assert "2 records, 32 wide; 6 left out" in printed  # everything that was there


def test_recordings_of_every_format_are_embedded_under_the_name_of_their_file(folder, records, capsys):
    digital = clean(2, seconds=10).T
    np.save(records / "two.npy", np.stack([digital, digital]))
    for name, write in (("b", write_edf), ("c", write_code)):
        (records / name).mkdir()
        finer = [np.interp(np.arange(4000) / 4, np.arange(1000), row) for row in digital]
        write(records / name, np.rint(finer).astype("<i2"))
    (records / "labels.csv").write_text("record,label\na,NORM\n")
    made, exam = embedded(folder, records, "--rate=400", "--unit=mV"), "c/exams_part0.hdf5#1169160"
    assert "two.npy#0: left out: record" in (printed := capsys.readouterr().out)
    assert "its file does not say the leads of its samples; say it with --leads" in printed
    assert "other files, which are no recordings: 1 .csv" in printed
    assert "3 records, 32 wide; 4 left out" in printed
    assert made["record"].tolist() == ["a", "b/r.edf", exam]
    np.testing.assert_allclose(made["embedding"][1], made["embedding"][2], atol=1e-4)
    made = embedded(folder, records, "--recording_rate=100", "--unit=uV", f"--leads={','.join(LEADS)}")
    assert made["record"].tolist() == ["a", "b/r.edf", "two.npy#0", "two.npy#1"]
    assert f"{exam}: left out: record" in (printed := capsys.readouterr().out) and "published layout" in printed
    np.testing.assert_array_equal(made["embedding"][2], made["embedding"][3])


def test_the_name_of_a_signal_does_not_steer_the_terminal(folder, records, capsys):
    header = records / "a.hea"
    header.write_text(header.read_text().replace(" AVR", " \x1b[2JResp"))
    embedded(folder, records)
    assert r"a: none of the twelve leads, and not used: \x1b[2JResp" in capsys.readouterr().out


def test_of_a_long_recording_the_first_seconds_are_used_and_that_is_told(folder, records, capsys):
    parts = [clean(number, seconds=10) for number in (5, 6, 7)]
    write_record(records / "long", np.concatenate([*parts, clean(8, seconds=1.5)]), 100)
    encoder = load(folder / "model")
    expected = encoder.embed([part.T / 1000 for part in parts], 100, LEADS, "mV")
    first = embedded(folder, records)
    assert "long: its first 10 of 31.5 s are used" in capsys.readouterr().out
    np.testing.assert_allclose(first["embedding"][1], expected[0], atol=1e-5)
    every = embedded(folder, records, "--windows=all")
    assert every["record"].tolist() == ["a", *["long"] * 4]
    assert every["start_s"].tolist() == [0, 0, 10, 20, 30]
    np.testing.assert_allclose(every["embedding"][1:4], expected, atol=1e-5)
    printed = capsys.readouterr().out
    assert "5 windows of 2 records, 32 wide; 0 left out" in printed and "s are used" not in printed
    centre = embedded(folder, records, "--windows=centre")
    assert centre["start_s"].tolist() == [0, 10.75]
    assert "long: its central 10 of 31.5 s are used" in capsys.readouterr().out
    mean = embedded(folder, records, "--windows=mean")
    assert mean["record"].tolist() == ["a", "long"] and mean["start_s"].tolist() == [0, 0]
    np.testing.assert_allclose(mean["embedding"][0], every["embedding"][0], atol=1e-6)
    np.testing.assert_allclose(mean["embedding"][1], every["embedding"][1:].mean(axis=0), atol=1e-6)


def test_a_window_that_cannot_be_used_is_left_out_and_the_short_rest_is_named(folder, records, capsys):
    flat = np.zeros((1000, 12), "<i2")
    write_record(records / "long", np.concatenate([clean(5, seconds=10), flat, clean(6, seconds=10.5)]), 100)
    made = embedded(folder, records, "--windows=all")
    assert made["start_s"].tolist() == [0, 0, 20]
    printed = capsys.readouterr().out
    assert "long from 10 s: left out: every lead is without measurement" in printed
    assert "long: its last 0.5 s are too short for a window and are not used" in printed
    assert "3 windows of 2 records, 32 wide; 0 left out, and 1 of their windows" in printed


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_loaded(folder, records, tmp_path):
    words = ["--model=nowhere", f"--records={records}"]
    with pytest.raises(CgdmerError, match=r"does not end in \.npz"):
        main([*words, f"--out={records / 'a.dat'}"])
    (tmp_path / "file").write_text("")
    with pytest.raises(CgdmerError, match=r"argument --out: .*file/e\.npz cannot be written"):
        main([*words, f"--out={tmp_path / 'file/e.npz'}"])
    for name, words in (("none", "there is no folder .*none; give"), ("file", ".*file is a file; give its folder")):
        with pytest.raises(CgdmerError, match=f"argument --records: {words}"):
            main(["--model=nowhere", f"--records={tmp_path / name}", f"--out={tmp_path / 'e.npz'}"])
        with pytest.raises(CgdmerError, match=words):  # in Python too, and not as a folder without records
            embed_folder("nowhere", tmp_path / name, tmp_path / "e.npz")


def test_a_lead_of_changed_sign_is_not_used_and_that_is_explained(folder, records, capsys):
    write_record(records / "cabrera", clean(2), 100)
    header = records / "cabrera.hea"
    header.write_text(header.read_text().replace(" AVR", " -aVR"))
    embedded(folder, records)
    told = 'not used: -aVR ("-aVR" is aVR with the sign changed: multiply by -1 to use it under that name)'
    assert f"cabrera: none of the twelve leads, and {told}" in capsys.readouterr().out


def test_the_home_folder_and_a_folder_that_is_not_there_yet_serve_as_output(folder, records, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").symlink_to(folder / "model")
    assert main(["--model=~/model", "--records=~/records", "--out=~/results/new/e.npz"]) == 0
    assert (tmp_path / "results/new/e.npz").is_file()


def test_a_folder_without_records_is_refused(folder, tmp_path):
    words = [f"--model={folder / 'model'}", f"--records={tmp_path}", f"--out={tmp_path / 'e.npz'}"]
    with pytest.raises(CgdmerError, match=r"holds no recording \(WFDB, EDF"):
        main(words)
    (tmp_path / "x.hea").write_text("nothing")
    with pytest.raises(CgdmerError, match="none of the 1 records"):
        main(words)
    assert not (tmp_path / "e.npz").exists()
