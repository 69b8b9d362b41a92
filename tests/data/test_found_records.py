"""Looking for recordings: what is read and what is left out is everything that was there."""

import os
from pathlib import Path

import pytest

from cgdmer_jax.data.readers.formats import Location
from cgdmer_jax.data.readers.found_records import find_recordings, name_of_recording
from tests.data.written_recordings import WRITERS, tracing_uv


@pytest.fixture
def root(tmp_path) -> Path:
    for name in ("a.hea", "a.dat", "deep/er/b.hea", "deep/er/b.dat"):
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("b.dat 16" if file.suffix == ".hea" else "")
    return tmp_path / "root"


def names(root: Path) -> list[str]:
    return [name_of_recording(one, root) for one in find_recordings(root).recordings]


def test_records_of_linked_folders_are_found_under_the_name_of_the_link(root, tmp_path):
    (tmp_path / "elsewhere/sub").mkdir(parents=True)
    (tmp_path / "elsewhere/sub/c.hea").write_text("")
    (root / "deep/link").symlink_to(tmp_path / "elsewhere")
    found = find_recordings(root)
    assert names(root) == ["a", "deep/er/b", "deep/link/sub/c"] and found.n_left_out == 0 and not found.sentences


def test_links_in_a_circle_and_two_ways_to_one_folder_end_and_are_named(root):
    (root / "deep/er/up").symlink_to(root)
    (root / "again").symlink_to(root / "deep")
    found = find_recordings(root)
    assert names(root) == ["a", "deep/er/b"] and found.n_left_out == 0
    assert found.sentences == [
        "again: leads to a folder that is read already, so it is read once",
        "deep/er/up: leads to a folder that is read already, so it is read once",
    ]


def test_a_link_to_a_folder_above_reads_what_is_beside_the_root_once(root, tmp_path):
    (tmp_path / "beside.hea").write_text("")
    (root / "up").symlink_to(tmp_path)
    assert names(root) == ["a", "deep/er/b", "up/beside"]


def test_what_is_not_read_is_counted_by_kind_with_the_reason(root):
    for name in (
        "x.dcm",
        "y.DCM",
        "deep/z.dcm",
        "w.dcm",
        "a.xml",  # beside a header of that name too
        "lone.mat",
        "deep/lone.dat",
        "UPPER.HEA",
        "deep/.hea",  # not the record "deep", whose header would stand beside that folder
        "more.zip",
    ):
        (root / name).write_text("")
    (root / "unknown").write_bytes(b"\0\1\2")
    for name in ("a.atr", "a.xws"):  # annotations of a record
        (root / name).write_bytes(b"\0\1\2")
    found = find_recordings(root)
    assert names(root) == ["a", "deep/er/b"] and found.n_left_out == 11
    not_read = (
        "left out: of no format that is read (WFDB, EDF, HDF5, CSV, NumPy, MATLAB); convert it to one of these first"
    )
    assert found.sentences == [
        f"1 without ending: {not_read} (unknown)",
        "1 .dat: left out: no header (.hea) names it; fetch that too (deep/lone.dat)",
        f"4 .dcm: {not_read} (deep/z.dcm, w.dcm, x.dcm, ...)",
        "2 .hea: left out: a header is called NAME.hea; rename it, and the file that it names (UPPER.HEA, deep/.hea)",
        "1 .mat: left out: no header (.hea) names it; fetch that too (lone.mat)",
        f"1 .xml: {not_read} (a.xml)",
        "1 .zip: left out: packed; unpack it first (more.zip)",
    ]


def test_recordings_of_every_format_are_found_and_what_is_plainly_none_is_counted(root):
    for number, (name, write) in enumerate(WRITERS.items()):
        (root / str(number)).mkdir()
        location, _ = write(root / str(number), tracing_uv(seconds=1))
        found = find_recordings(root / str(number))
        assert location in found.recordings and not found.sentences and not found.n_left_out, name
    many = [name.rpartition("/")[2] for name in names(root) if "#" in name]
    exams = [f"exams_part0.hdf5#{one}" for one in ("9", "1169160", "0")]  # as the file has them
    assert many[many.index(exams[0]) :][:3] == exams and len(many) == 8
    for name, text in (("t.csv", "record,age,I\nx,56,normal\n"), ("LICENSE", "I, the owner\n"), ("notes.txt", "")):
        (root / name).write_text(text)
    (root / "pointer.csv").write_text("version https://git-lfs.github.com/spec/v1\nsize 200000\n")
    (root / "page.pdf").write_bytes(b"%PDF\0")
    (root / ".DS_Store").write_bytes(b"\0\0")
    (root / "numbers.csv").write_text("1,2\n3,4\n")  # may be one: reading it says what is missing
    found = find_recordings(root)
    assert {Location(root / "numbers.csv"), Location(root / "pointer.csv")} <= {*found.recordings}
    assert not found.n_left_out
    assert found.sentences == [
        "other files, which are no recordings: 1 without ending, 1 .csv, 1 .ds_store, 1 .pdf, 1 .txt"
    ]


def test_a_file_of_many_that_is_damaged_is_one_recording_whose_reading_says_so(root):
    (root / "exams.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert "exams.hdf5" in names(root)


def test_a_signal_file_that_a_header_of_another_name_names_is_not_left_out(root):
    (root / "many.hea").write_text("many 1 100 10\nshared.dat 16 1000/mV 16 0 0 0 0 II\n")
    (root / "shared.dat").write_text("")
    assert find_recordings(root).n_left_out == 0


def test_however_many_signal_files_lack_a_header_each_header_is_read_once(root, monkeypatch):
    opened, of_path = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *how, **more: opened.append(self.name) or of_path(self, *how, **more)
    )
    for number in range(20):
        (root / f"lone{number}.dat").write_bytes(b"")
    os.mkfifo(root / "pipe.hea")  # would never end
    opened.clear()
    assert find_recordings(root).n_left_out == 20 and opened.count("a.hea") == 1


def test_a_folder_that_cannot_be_read_is_named_and_counted(root, monkeypatch):
    scandir = os.scandir

    def denied(folder):
        if str(folder).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", denied)
    found = find_recordings(root)
    assert names(root) == ["a"] and found.n_left_out == 1
    assert found.sentences == ["deep/: left out: the folder cannot be read (Permission denied)"]


def test_a_dangling_header_is_found_and_a_folder_called_like_one_is_a_folder(root):
    (root / "gone.hea").symlink_to(root / "nowhere")
    (root / "folder.hea").mkdir()
    (root / "folder.hea/inner.hea").write_text("")
    assert names(root) == ["a", "deep/er/b", "folder.hea/inner", "gone"]


def test_a_name_that_is_no_text_can_be_printed(root):
    (root / os.fsdecode(b"caf\xe9.hea")).write_text("")
    assert "caf\\udce9" in names(root)


def test_a_name_is_one_line_that_steers_no_terminal(root):
    (root / "one\ntwo\x1b[2J\x9b.hea").write_text("")
    (root / "\x1b[2J.dcm").write_text("")
    found = find_recordings(root)
    assert r"one\ntwo\x1b[2J\x9b" in names(root) and r"(\x1b[2J.dcm)" in found.sentences[0]
