"""Recordings that are bad, and disks: given to the real conversion in a small PTB-XL of four records.

Record number 2 is the bad one.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from cgdmer_jax.commands import convert
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources import ptbxl
from tests.data.ptbxl_root import line, write_record, write_root
from tests.full_disk import files_of_at_most
from tests.outcome import Outcome, run
from tests.waveform.test_conditioning import heart
from tests.waveform.test_limb_leads import leads_of

SECOND = line(2)["filename_lr"]


def clean(number: int, seconds: float = 2) -> np.ndarray:
    """Digital values [sample, lead] that give no reason for any mark; another size each."""
    electrodes = np.array([-0.4, 0.3, 0.5, -0.4, 0.6, 0.4, 0.8, 1.0, 0.9])[:, None] * heart(leads=1, seconds=seconds)
    return np.rint((800 + 100 * number) * leads_of(*electrodes[:3], electrodes[3:]).T).astype("<i2")


def conversion(folder: Path, spoil: Callable[[Path, Path], None], **changes: str) -> Outcome:
    """Rejected: the sentence is that of rejected.csv. Marked: that of the summary. Else the error's."""
    lines = [line(1), line(2) | changes, line(3), line(4)]
    root = write_root(folder / "PTB-XL", lines)
    for number in range(1, 5):
        write_record(root / line(number)["filename_lr"], clean(number), 100)
    spoil(root, root / SECOND)
    return converted(root, folder / "store")


def converted(root: Path, out: Path) -> Outcome:
    words = ["--source=ptbxl", f"--root={root}", f"--out={out}", "--seconds=2", "--processes=1"]
    outcome = run(convert.main, words)
    if outcome.code == 0:
        with (out / "rejected.csv").open() as file:
            rejected = [row["reason"] for row in csv.DictReader(file)]
        if rejected:
            return Outcome(0, f"rejected.csv: {rejected[0]}")
        marked = [text.strip() for text in outcome.sentence.splitlines() if "1 record: " in text]
        return Outcome(0, "; ".join(marked))
    return outcome


def header(old: str, new: str) -> Callable[[Path, Path], None]:
    """Rewrites that text in the header of the record."""

    def spoil(root: Path, record: Path) -> None:
        file = record.with_suffix(".hea")
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return spoil


def signal(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Path], None]:
    """Rewrites the digital values [sample, lead], 1,000 a millivolt; the header agrees with them."""

    def spoil(root: Path, record: Path) -> None:
        write_record(record, change(clean(2)).astype("<i2"), 100)

    return spoil


def swapped(digital: np.ndarray) -> np.ndarray:
    """I becomes -I, II and III change places, aVR and aVL too."""
    return digital[:, [0, 2, 1, 4, 3, *range(5, 12)]] * np.where(np.arange(12) == 0, -1, 1)


def renamed_leads(digital: np.ndarray) -> np.ndarray:
    """The names of II and III exchanged."""
    return digital[:, [0, 2, 1, *range(3, 12)]]


def gap(digital: np.ndarray) -> np.ndarray:
    digital[50:56, 7] = -32768
    return digital


def flat(digital: np.ndarray) -> np.ndarray:
    digital[:, 7] = 30
    return digital


def cut_file(root: Path, record: Path) -> None:
    file = record.with_suffix(".dat")
    file.write_bytes(file.read_bytes()[:-100])


def flip_bit(root: Path, record: Path) -> None:
    file = record.with_suffix(".dat")
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)


def no_header(root: Path, record: Path) -> None:
    record.with_suffix(".hea").unlink()


def no_file(root: Path, record: Path) -> None:
    record.with_suffix(".dat").unlink()


def another_channel(root: Path, record: Path) -> None:
    """A thirteenth signal, of another unit, in a file of its own."""
    file = record.with_suffix(".hea")
    text = file.read_text().replace(" 12 100 ", " 13 100 ") + f"{record.name}.abp 16 10(0)/mmHg 16 0 0 0 0 ABP\n"
    file.write_text(text)
    record.with_suffix(".abp").write_bytes(bytes(400))


def pointer(root: Path, record: Path) -> None:
    """The pointer that git leaves where git lfs has not fetched the file."""
    record.with_suffix(".dat").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 4800\n"
    )


def table(change: Callable[[str], bytes]) -> Callable[[Path, Path], None]:
    """Rewrites the table of the collection."""

    def spoil(root: Path, record: Path) -> None:
        file = root / ptbxl.DATABASE
        file.write_bytes(change(file.read_bytes().decode()))

    return spoil


def no_lead_name(root: Path, record: Path) -> None:
    file = record.with_suffix(".hea")
    first, *signals = file.read_text().splitlines()
    signals = [f"{line.rpartition(' ')[0]} X{number}" for number, line in enumerate(signals)]
    file.write_text("\n".join([first, *signals]))


def folder_in_place(root: Path, record: Path) -> None:
    no_file(root, record)
    record.with_suffix(".dat").mkdir()


def linked_elsewhere(root: Path, record: Path) -> None:
    file = record.with_suffix(".dat")
    file.symlink_to(file.rename(root.parent / "elsewhere.dat"))


def itself(root: Path, record: Path) -> None:
    record.with_suffix(".hea").write_text(f"{record.name}/2 12 100 200\n{record.name} 100\n{record.name} 100\n")


def nothing(root: Path, record: Path) -> None: ...


def recording(spoil: Callable[[Path, Path], None], **changes: str) -> Callable[[Path], Outcome]:
    return lambda folder: conversion(folder, spoil, **changes)


def most_are_missing(folder: Path) -> Outcome:
    root = write_root(folder / "PTB-XL", [line(number) for number in range(1, 31)])
    for number in range(5, 25):
        (root / f"{line(number)['filename_lr']}.dat").unlink()
    return converted(root, folder / "store")


def folder_goes_away(folder: Path) -> Outcome:
    """After the third record."""
    root = write_root(folder / "PTB-XL", [line(number) for number in range(1, 5)])
    read = ptbxl.read_wfdb

    def read_and_remove(path: Path, below: Path | None) -> Recording:
        recording = read(path, below)
        if path.name == "00003_lr":
            (root / "records100").rename(folder / "aside")
        return recording

    with mock.patch.object(ptbxl, "read_wfdb", read_and_remove):
        return converted(root, folder / "store")


def comes_back_after_the_seal(folder: Path) -> Outcome:
    root = write_root(folder / "PTB-XL", [line(number) for number in range(1, 5)])
    aside = (root / f"{SECOND}.dat").rename(folder / "aside.dat")
    converted(root, folder / "store")
    aside.rename(root / f"{SECOND}.dat")
    return converted(root, folder / "store")


def too_little_disk(folder: Path) -> Outcome:
    root = write_root(folder / "PTB-XL", [line(1), line(2)])
    usage = mock.Mock(return_value=mock.Mock(free=1000))
    with mock.patch("cgdmer_jax.data.store.unfinished.shutil.disk_usage", usage):
        return converted(root, folder / "store")


def disk_fills_up_in_shard(folder: Path) -> Outcome:
    """The signals need 19,200 bytes."""
    root = write_root(folder / "PTB-XL", [line(number) for number in range(1, 5)])
    with files_of_at_most(6000):
        return converted(root, folder / "store")


def unwritable_output(folder: Path) -> Outcome:
    (folder / "file").write_text("no folder")
    return converted(write_root(folder / "PTB-XL", [line(1)]), folder / "file" / "store")
