"""Recordings that vanish during a conversion are not sealed as lost; a missing file costs its own record alone."""

import csv
import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from cgdmer_jax.commands.convert import main
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.store import unread
from cgdmer_jax.data.store.convert import Summary, convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.conversions import digests
from tests.data.ptbxl_root import line, samples, write_record, write_root

N_RECORDS = 60
GONE = r"records100 went away while they were read; .* the same command again: it continues$"


def run(source: Source, out: Path, **changes: object) -> Summary:
    settings = {"rate": 100, "seconds": 2.0, "progress": False, "rows_per_shard": 8}
    return convert(source, out, **settings | changes)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """60 records in 8 shards, the odd ones in a folder of their own."""
    lines = [line(n, filename_lr=f"records100/{n % 2:05d}/{n:05d}_lr") for n in range(N_RECORDS)]
    return write_root(tmp_path / "root", lines)


@pytest.fixture
def whole(root: Path, tmp_path: Path) -> dict[str, str]:
    """Digests of the store of `root`."""
    assert run(open_source(root, 100), tmp_path / "whole").n_records == N_RECORDS
    return digests(tmp_path / "whole")


def at_record(number: int, event: Callable[[], object], source: Source) -> Source:
    """The source during whose reading something happens before that record is read."""
    return replace(source, read=partial(_read_after, source.read, str(number), event))


def _read_after(read: Callable, number: str, event: Callable, record: SourceRecord) -> Recording:
    if record.record_id == number:
        event()
    return read(record)


def leave_empty(folder: Path) -> None:
    """Leaves the empty folder of an unmounted disk."""
    folder.rename(folder.with_name("aside"))
    folder.mkdir()


def bring_back(folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()
    folder.with_name("aside").rename(folder)


@pytest.mark.parametrize("processes", [1, 2])
def test_when_the_folder_goes_away_nothing_is_sealed_and_the_same_command_continues(root, whole, tmp_path, processes):
    folder, out = root / "records100", tmp_path / "store"
    go_away = partial(folder.rename, folder.with_name("aside"))
    with pytest.raises(CgdmerError, match=GONE):
        run(at_record(19, go_away, open_source(root, 100)), out, processes=processes)
    with pytest.raises(CgdmerError, match="its conversion was not finished"):
        open_store(out)
    bring_back(folder)
    assert run(open_source(root, 100), out).n_records == N_RECORDS
    assert digests(out) == whole


def test_a_disk_that_is_unmounted_leaves_an_empty_folder_and_is_missed_all_the_same(root, whole, tmp_path):
    folder, out = root / "records100", tmp_path / "store"
    with pytest.raises(CgdmerError, match=GONE):
        run(at_record(19, partial(leave_empty, folder), open_source(root, 100)), out)
    bring_back(folder)
    summary = run(open_source(root, 100), out)
    assert (summary.n_converted, summary.n_records) == (N_RECORDS - 16, N_RECORDS)  # two shards were done
    assert digests(out) == whole


def test_a_disk_that_is_unmounted_between_two_shards_is_not_sealed_even_as_a_partial_collection(root, whole, tmp_path):
    """No shard then has both kinds of records; before sealing one that was read well is read again."""
    folder, out = root / "records100", tmp_path / "store"
    with pytest.raises(CgdmerError, match=GONE):
        run(at_record(16, partial(leave_empty, folder), open_source(root, 100)), out, partial=True)
    assert not (out / "dataset.json").exists()
    bring_back(folder)
    assert run(open_source(root, 100), out, partial=True).n_records == N_RECORDS
    assert digests(out) == whole


def test_what_was_missing_for_a_while_is_read_again_before_it_is_sealed(root, whole, tmp_path):
    out, source = tmp_path / "store", open_source(root, 100)
    file, aside = root / "records100/00001/00003_lr.dat", tmp_path / "aside.dat"
    file.rename(aside)
    back = at_record(20, partial(aside.rename, file), source)
    with pytest.raises(CgdmerError, match=r"1 record\(s\) of ptbxl could not be read at first .*first: 3\); run"):
        run(back, out)
    assert run(source, out).n_converted == 8
    assert digests(out) == whole


def test_missing_files_that_pile_up_are_not_sealed_unless_the_collection_is_partial(root, whole, tmp_path):
    out, folder = tmp_path / "store", root / "records100" / "00001"
    folder.rename(tmp_path / "aside")
    with pytest.raises(
        CgdmerError, match=r"30 of the 60 records of ptbxl could not be read.*00001_lr\.hea .*--partial"
    ):
        run(open_source(root, 100), out)
    assert not (out / "dataset.json").exists()
    partly = shutil.copytree(out, tmp_path / "partly")
    summary = run(open_source(root, 100), partly, partial=True)
    assert (summary.n_records, summary.rejected) == (30, {"no_header": 30})
    (tmp_path / "aside").rename(folder)
    assert run(open_source(root, 100), out).n_records == N_RECORDS
    assert digests(out) == whole


@pytest.mark.parametrize(
    ("n_records", "n_missing"), [(1, 1), (4, 1), (12, 1), (50, 5), (100, 10), (600, 10), (21_799, 217)]
)
def test_how_many_records_may_lack_their_files(n_records, n_missing):
    """Two of twelve are a folder that was not copied; two of a hundred are two records."""
    assert n_missing <= unread.most_unread(n_records) < n_missing + 1


def test_a_sealed_store_says_that_what_it_lacks_can_be_read_now(root, tmp_path, whole):
    out, file = tmp_path / "store", root / "records100/00000/00004_lr.dat"
    file.rename(tmp_path / "aside.dat")
    words = ["--source=ptbxl", f"--root={root}", f"--out={out}", "--seconds=2", "--processes=1"]
    assert main(words) == 0
    sealed = digests(out)
    assert main(words) == 0  # complete as long as it is not there
    (tmp_path / "aside.dat").rename(file)
    with pytest.raises(CgdmerError, match=r"sealed without 1 record\(s\) that can .* now \(the first: 4\); delete"):
        main(words)
    assert digests(out) == sealed
    shutil.rmtree(out)
    assert main(words) == 0
    assert open_store(out).n_records == N_RECORDS


FAULTS = [  # location of record 2, problem
    ("../../elsewhere/00002_lr", "outside"),
    ("{outside}/00002_lr", "outside"),
    ("", "outside"),
    (".", "outside"),
    ("records100/../../elsewhere/00002_lr", "outside"),
    ("link/00002_lr", "outside"),
    ("records100/00000/" + 300 * "x", "no_header"),
    ("records100/00000/\0", "no_header"),
    ("records100/00000/folder", "unreadable"),
]


@pytest.mark.parametrize(("location", "problem"), FAULTS)
def test_a_path_that_leaves_the_root_or_cannot_be_opened_costs_its_record_alone(tmp_path, location, problem):
    elsewhere = tmp_path / "elsewhere"
    write_record(elsewhere / "00002_lr", samples(2, 100, 2.0), 100)
    root = write_root(tmp_path / "root" / "ptb-xl", [line(n) for n in range(4)])
    (root / "link").symlink_to(elsewhere)
    (root / "records100/00000/folder.hea").mkdir()
    table = (root / "ptbxl_database.csv").read_text()
    location = location.format(outside=elsewhere)
    (root / "ptbxl_database.csv").write_text(table.replace("records100/00000/00002_lr", location))
    out = tmp_path / "store"
    assert run(open_source(root, 100), out).rejected == {problem: 1}
    with (out / "rejected.csv").open(newline="") as file:
        (rejected,) = csv.DictReader(file)
    assert (rejected["record_id"], rejected["problem"]) == ("2", problem)
    assert str(tmp_path) not in rejected["reason"] or location.startswith("/")
    kept = open_store(out)
    assert kept.column("record_id").tolist() == ["0", "1", "3"]
    np.testing.assert_array_equal(kept.read(np.array([3]))[0], samples(3, 100, 2.0).T)


def test_links_to_a_shared_disk_are_read_when_that_is_said(root, tmp_path, whole):
    (root / "records100").rename(tmp_path / "shared_disk")
    (root / "records100").symlink_to(tmp_path / "shared_disk")
    words = ["--source=ptbxl", f"--root={root}", f"--out={tmp_path / 'store'}", "--seconds=2", "--processes=1"]
    with pytest.raises(CgdmerError, match=r"none of the 60 .*link to outside of the collection; .*--follow_links"):
        main(words)
    assert main([*words, "--follow_links"]) == 0
    assert open_store(tmp_path / "store").n_records == N_RECORDS


def test_a_file_that_the_disk_cannot_give_costs_its_record(root, tmp_path):
    opened = Path.open

    def failing(file: Path, *args: object, **kwargs: object) -> object:
        if file.name == "00005_lr.dat":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(file))
        return opened(file, *args, **kwargs)

    with mock.patch.object(Path, "open", failing):
        summary = run(open_source(root, 100), tmp_path / "store")
    assert (summary.n_records, summary.rejected) == (N_RECORDS - 1, {"unreadable": 1})
