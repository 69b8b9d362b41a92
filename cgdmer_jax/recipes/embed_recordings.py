"""A folder of recordings of any length to the embeddings of their windows, with what looks wrong in each."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import tqdm

from cgdmer_jax import path_arguments, provenance
from cgdmer_jax.contract import InputContract, Prepared, prepare, remark_on_length
from cgdmer_jax.data.loader import read_ahead
from cgdmer_jax.data.readers.formats import FORMATS, NO_HINTS, Hints, Location, read_recording
from cgdmer_jax.data.readers.found_records import find_recordings, name_of_recording
from cgdmer_jax.data.readers.wfdb import HEADER, SIGNALS
from cgdmer_jax.errors import CgdmerError, visible
from cgdmer_jax.interop.encoder import Encoder
from cgdmer_jax.interop.pretrained import content_sha256, load
from cgdmer_jax.progress import progress_bar, tell
from cgdmer_jax.recipes.unfinished_rows import RowsOfPart, unfinished_rows
from cgdmer_jax.waveform.conditioning import told_in_unit
from cgdmer_jax.waveform.lead_names import inverted
from cgdmer_jax.waveform.quality_notes import remarks
from cgdmer_jax.waveform.windows import split
from cgdmer_jax.whole_file import whole_file

ENDING = ".npz"
MEAN = "mean"  # in place of one of the windows
RECORDS_AHEAD = 8  # prepared before they are asked for: two batches on a CPU
RECORDS_A_PART = 1024  # what a kill costs at most, in seconds some five


class Named(NamedTuple):
    """A recording and what it is called in the output."""

    name: str
    location: Location


class PreparedWindow(NamedTuple):
    """A window of a record that is embedded."""

    start_s: float
    prepared: Prepared


class ReadRecord(NamedTuple):
    """Outcome of reading a record: its windows, sentences about it, and whether something looks wrong in them."""

    name: str
    windows: list[PreparedWindow]
    told: list[str]
    suspicious: bool
    n_windows_left_out: int  # none of a record that is left out whole


class EmbeddedFolder(NamedTuple):
    """Outcome of `embed_folder` in words for the user: "7 windows of 3 records", and what was left out."""

    recordings: str
    left_out: str
    width: int  # of an embedding


def embed_folder(
    model: str, records: Path, out: Path, *, feature: str = "main", windows: str = "first", hints: Hints = NO_HINTS
) -> EmbeddedFolder:
    """Embeds every recording below a folder, whatever its format.

    - `model`: model folder, or hf://owner/name@revision.
    - `records`: folder, searched whole. What cannot be used in it is left out and printed with the reason.
    - `out`: .npz file to write: record [n], start_s [n] (seconds), embedding [n, feature].
    - `feature`: name of the feature (docs/evaluation.md).
    - `windows`: which ones of a recording longer than the model's window (waveform/windows.py), or "mean": one vector
      a recording, the mean over all its windows.
    - `hints`: rate, leads and unit of the recordings whose files do not say them.

    Stopped at any moment, the same call continues: what is done lies in a folder beside `out` until all is.

    Raises CgdmerError where the folder holds no recording or none that can be used, and where `out` was begun with
    another model, feature, choice of windows, hints or list of records.
    """
    if out.suffix != ENDING:
        raise CgdmerError(f"--out={out} does not end in {ENDING}; name a file that does")
    records = path_arguments.input_folder(records)
    print(f"reading the model {model}")
    encoder = load(model)
    encoder.check_feature(feature)
    found = find_recordings(records)
    for sentence in found.sentences:
        print(visible(sentence))
    if not found.recordings:
        raise CgdmerError(f"{records} holds no recording ({', '.join(FORMATS)}); give the folder that does")
    named = [Named(name_of_recording(location, records), location) for location in found.recordings]
    parts = [named[at : at + RECORDS_A_PART] for at in range(0, len(named), RECORDS_A_PART)]
    begun_with = {
        "model": content_sha256(model),
        "feature": feature,
        "choice of windows": windows,
        "rate, leads or unit": json.dumps([hints.rate, hints.leads, hints.unit]),
        "list of records": _sha256_of_list(named),
        "version of the program or device": json.dumps([provenance.code_sha256(), *_computed_by()]),
    }
    with unfinished_rows(out, begun_with) as unfinished:
        done = []
        with progress_bar(len(named), "record", "embed") as bar:
            for number, some in enumerate(parts):
                part = unfinished.read(number)
                if part is None:
                    part = _embed_part(encoder, some, hints, feature, "all" if windows == MEAN else windows, bar)
                    unfinished.write(number, part)
                else:
                    bar.update(len(some))
                    for sentence in part["told"].tolist():
                        tell(bar, sentence)
                done.append(part)
        rows = {name: np.concatenate([part[name] for part in done]) for name in done[0]}
        if not len(rows["record"]):
            unfinished.remove()
            raise CgdmerError(f"none of the {len(named)} records of {records} can be used: see above")
        if windows == MEAN:
            rows |= _means(rows)
        with whole_file(out) as file:
            np.savez(file, **{name: rows[name] for name in ("record", "start_s", "embedding")})
        unfinished.remove()
    return _in_words(rows, len(named), found.n_left_out)


def _means(rows: RowsOfPart) -> RowsOfPart:
    """One row a recording: the mean over its windows, which follow each other."""
    names, first, counts = np.unique(rows["record"], return_index=True, return_counts=True)
    order = np.argsort(first)
    sums = np.add.reduceat(rows["embedding"].astype(np.float64), first[order])
    means = (sums / counts[order, None]).astype(np.float32)
    return {"record": names[order], "start_s": rows["start_s"][first[order]], "embedding": means}


def _in_words(rows: RowsOfPart, n_records: int, n_not_read: int) -> EmbeddedFolder:
    n_rows, n_read = len(rows["record"]), len(set(rows["record"].tolist()))
    several = f"{n_rows} windows of " if n_rows > n_read else ""
    noun = "record" if n_read == 1 else "records"
    told = f"{n_records - n_read + n_not_read} left out"
    n_windows_left_out, n_suspicious = rows["n_windows_left_out"].sum(), rows["suspicious"].sum()
    told += f", and {n_windows_left_out} of their windows" if n_windows_left_out else ""
    told += f"; something looks wrong in {n_suspicious}, see above" if n_suspicious else ""
    return EmbeddedFolder(f"{several}{n_read} {noun}", told, rows["embedding"].shape[1])


def _computed_by() -> list[str]:
    return [jax.__version__, jax.devices()[0].device_kind]


def _sha256_of_list(named: list[Named]) -> str:
    """Hash of names, sizes and times of the recordings' files: of WFDB the header, and what may lie beside it."""
    listing = hashlib.sha256()
    for name, location in named:
        found = [name]
        for ending in ("", HEADER, *sorted(SIGNALS)):
            try:
                status = os.stat(f"{location.path}{ending}")
            except OSError:  # not there, or to be named when it is read
                continue
            found += [ending, status.st_size, status.st_mtime_ns]
        listing.update(json.dumps(found).encode())
    return listing.hexdigest()


def _embed_part(
    encoder: Encoder, named: list[Named], hints: Hints, feature: str, which: str, bar: tqdm.tqdm
) -> RowsOfPart:
    """Arrays by row (record, start_s, embedding), by record (suspicious, n_windows_left_out) and sentences (told)."""
    of_records: list[ReadRecord] = []  # without their windows
    rows: list[tuple[str, float]] = []

    def prepared() -> Iterator[Prepared]:
        # A thread reads and prepares while the model computes.
        for made in read_ahead(lambda one: _prepare_record(encoder.contract, one, hints, which), named, RECORDS_AHEAD):
            bar.update()
            for sentence in made.told:
                tell(bar, sentence)
            of_records.append(made._replace(windows=[]))
            rows.extend((made.name, window.start_s) for window in made.windows)
            yield from (window.prepared for window in made.windows)

    embedding = encoder.embed_prepared(prepared(), feature=feature)
    return {
        "record": np.array([name for name, _ in rows], dtype=np.str_),
        "start_s": np.array([start_s for _, start_s in rows], np.float64),
        "embedding": embedding,
        "told": np.array([sentence for made in of_records for sentence in made.told], dtype=np.str_),
        "suspicious": np.array([made.suspicious for made in of_records], bool),
        "n_windows_left_out": np.array([made.n_windows_left_out for made in of_records], np.int64),
    }


def _prepare_record(contract: InputContract, named: Named, hints: Hints, which: str) -> ReadRecord:
    """The windows of a record that can be used; says of the others why they are not."""
    name = named.name
    try:
        recording = read_recording(named.location, hints=hints)
        parts = split(recording.signal_mv, recording.rate, contract.seconds, which)
    except CgdmerError as error:
        return ReadRecord(name, [], [f"{name}: left out: {error}"], False, 0)
    windows, told, suspicious = [], [], False
    for part in parts.windows:
        where = f"{name} from {part.start_s:g} s" if len(parts.windows) > 1 else name
        try:
            prepared = prepare(contract, part.signal, recording.rate, recording.names, "mV")
        except CgdmerError as error:
            told.append(f"{where}: left out: {told_in_unit(error, recording.unit_given)}")
            continue
        found = remarks_of(prepared, recording.extra_leads if part is parts.windows[0] else ())
        told += [f"{where}: {what}" for what in found]
        suspicious |= bool(found)
        windows.append(PreparedWindow(part.start_s, prepared))
    # Of a file that states its rate a short recording is what it is.
    remark = remark_on_length(contract, recording.signal_mv.shape[1], recording.rate)
    if windows and hints.rate is not None and remark:
        told.append(f"{name}: {remark}")
        suspicious = True
    if windows and parts.passed_over:
        told.append(f"{name}: {parts.passed_over}")
    return ReadRecord(name, windows, told, suspicious, len(parts.windows) - len(windows) if windows else 0)


def remarks_of(prepared: Prepared, extra_leads: tuple[str, ...]) -> list[str]:
    found = remarks({"lead_absent": ~prepared.lead_mask}, {}) + prepared.remarks
    if extra_leads:
        told = f"none of the twelve leads, and not used: {', '.join(extra_leads)}"
        found.append(f"{told} ({inverted(extra_leads)})" if inverted(extra_leads) else told)
    return found
