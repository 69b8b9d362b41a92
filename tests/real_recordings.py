"""Unpacks archives of ../shared/data for the tests that need real recordings."""

import tarfile
from itertools import islice
from pathlib import Path


def unpack_files(archive: Path, folder: Path, most_files: int | None = None) -> None:
    """The archive's first files."""
    with tarfile.open(archive, "r|xz") as packed:  # a stream: stopping early saves seconds
        for member in islice(packed, most_files):
            packed.extract(member, folder, filter="data")


def unpack(archive: Path, folder: Path, most_files: int | None = None) -> list[Path]:
    """The WFDB records among the archive's first files, as paths without `.hea`, in a fixed order."""
    unpack_files(archive, folder, most_files)
    records = sorted(header.with_suffix("") for header in folder.rglob("*.hea"))
    assert records, f"{archive} holds no record"
    return records
