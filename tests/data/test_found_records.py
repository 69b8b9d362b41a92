"""Looking for recordings: what is read and what is left out is everything that was there."""

import os
from pathlib import Path

import pytest

from cgdmer_jax.data.readers.found_records import find_records, name_of


@pytest.fixture
def root(tmp_path) -> Path:
    for name in ("a.hea", "a.dat", "deep/er/b.hea", "deep/er/b.dat"):
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("b.dat 16" if file.suffix == ".hea" else "")
    return tmp_path / "root"


def names(root: Path) -> list[str]:
    return [name_of(record, root) for record in find_records(root).records]


def test_records_of_linked_folders_are_found_under_the_name_of_the_link(root, tmp_path):
    (tmp_path / "elsewhere/sub").mkdir(parents=True)
    (tmp_path / "elsewhere/sub/c.hea").write_text("")
    (root / "deep/link").symlink_to(tmp_path / "elsewhere")
    found = find_records(root)
    assert names(root) == ["a", "deep/er/b", "deep/link/sub/c"] and found.n_left_out == 0 and not found.sentences


def test_links_in_a_circle_and_two_ways_to_one_folder_end_and_are_named(root):
    (root / "deep/er/up").symlink_to(root)
    (root / "again").symlink_to(root / "deep")
    found = find_records(root)
    assert names(root) == ["a", "deep/er/b"] and found.n_left_out == 0
    assert found.sentences == [
        "again: leads to a folder that is read already, so it is read once",
        "deep/er/up: leads to a folder that is read already, so it is read once",
    ]


def test_a_link_to_a_folder_above_reads_what_is_beside_the_root_once(root, tmp_path):
    (tmp_path / "beside.hea").write_text("")
    (root / "up").symlink_to(tmp_path)
    assert names(root) == ["a", "deep/er/b", "up/beside"]


def test_recordings_in_other_forms_are_counted_by_kind_with_the_reason(root):
    for name in (
        "x.edf",
        "y.EDF",
        "deep/z.edf",
        "w.edf",
        "lone.mat",
        "deep/lone.dat",
        "UPPER.HEA",
        "deep/.hea",  # not the record "deep", whose header would stand beside that folder
        "notes.txt",
        "t.csv",
    ):
        (root / name).write_text("")
    found = find_records(root)
    assert names(root) == ["a", "deep/er/b"] and found.n_left_out == 8
    assert found.sentences == [
        "1 .dat: left out: no header (.hea) names it; fetch that too (deep/lone.dat)",
        "4 .edf: left out: no WFDB record; convert it to .hea and .dat first (deep/z.edf, w.edf, x.edf, ...)",
        "2 .hea: left out: a header is called NAME.hea; rename it, and the file that it names (UPPER.HEA, deep/.hea)",
        "1 .mat: left out: no header (.hea) names it; fetch that too (lone.mat)",
    ]


def test_a_signal_file_that_a_header_of_another_name_names_is_not_left_out(root):
    (root / "many.hea").write_text("many 1 100 10\nshared.dat 16 1000/mV 16 0 0 0 0 II\n")
    (root / "shared.dat").write_text("")
    assert find_records(root).n_left_out == 0


def test_however_many_signal_files_lack_a_header_each_header_is_read_once(root, monkeypatch):
    opened, of_path = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *how, **more: opened.append(self.name) or of_path(self, *how, **more)
    )
    for number in range(20):
        (root / f"lone{number}.dat").write_bytes(b"")
    os.mkfifo(root / "pipe.hea")  # would never end
    opened.clear()
    assert find_records(root).n_left_out == 20 and opened == ["a.hea"]


def test_a_folder_that_cannot_be_read_is_named_and_counted(root, monkeypatch):
    scandir = os.scandir

    def denied(folder):
        if str(folder).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", denied)
    found = find_records(root)
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
    (root / "\x1b[2J.edf").write_text("")
    found = find_records(root)
    assert r"one\ntwo\x1b[2J\x9b" in names(root) and r"(\x1b[2J.edf)" in found.sentences[0]
