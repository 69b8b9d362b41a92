"""A folder of recordings of any length to the embeddings of their windows, with what looks wrong in each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tqdm

from cgdmer_jax import path_arguments
from cgdmer_jax.contract import InputContract, Prepared, prepare
from cgdmer_jax.data.readers.formats import FORMATS, NO_HINTS, Hints, Location, read_recording
from cgdmer_jax.data.readers.found_records import find_recordings, name_of_recording
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.errors import CgdmerError, visible
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.progress import progress_bar, tell
from cgdmer_jax.waveform.lead_names import inverted
from cgdmer_jax.waveform.quality_notes import remarks
from cgdmer_jax.waveform.windows import Split, split
from cgdmer_jax.whole_file import whole_file

ENDING = ".npz"


@dataclass
class Rows:
    """Record and start of each row of the output, noted while the recordings are embedded."""

    record: list[str] = field(default_factory=list)
    start_s: list[float] = field(default_factory=list)
    n_windows_left_out: int = 0  # of records that have rows all the same
    suspicious: set[str] = field(default_factory=set)  # records of which something was told


def embed_folder(
    model: str, records: Path, out: Path, *, feature: str = "main", windows: str = "first", hints: Hints = NO_HINTS
) -> str:
    """Embeds every recording below a folder, whatever its format; the sentence that sums it up.

    - `model`: model folder, or hf://owner/name@revision.
    - `records`: folder, searched whole. What cannot be used in it is left out and printed with the reason.
    - `out`: .npz file to write: record [n], start_s [n] (seconds), embedding [n, feature].
    - `feature`: name of the feature (docs/evaluation.md).
    - `windows`: which ones of a recording longer than the model's window (waveform/windows.py).
    - `hints`: rate, leads and unit of the recordings whose files do not say them.

    Raises CgdmerError where the folder holds no recording or none that can be used.
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
    rows = Rows()
    with progress_bar(len(found.recordings), "record", "embed") as bar:
        read = ((name_of_recording(one, records), one) for one in found.recordings)
        prepared = usable(encoder.contract, read, hints, windows, rows, bar)
        embedding = encoder.embed_prepared(prepared, feature=feature)
    if not rows.record:
        raise CgdmerError(f"none of the {len(found.recordings)} records of {records} can be used: see above")
    with whole_file(out) as file:
        np.savez(file, record=np.array(rows.record), start_s=np.array(rows.start_s), embedding=embedding)
    n_read = len(set(rows.record))
    n_left_out = len(found.recordings) - n_read + found.n_left_out
    several = f"{len(rows.record)} windows of " if len(rows.record) > n_read else ""
    noun = "record" if n_read == 1 else "records"
    told = f"{feature} of {several}{n_read} {noun}, {embedding.shape[1]} wide; {n_left_out} left out"
    told += f", and {rows.n_windows_left_out} of their windows" if rows.n_windows_left_out else ""
    told += f"; something looks wrong in {len(rows.suspicious)}, see above" if rows.suspicious else ""
    return f"{out}: {told}"


def usable(
    contract: InputContract,
    named: Iterable[tuple[str, Location]],
    hints: Hints,
    which: str,
    rows: Rows,
    bar: tqdm.tqdm,
) -> Iterator[Prepared]:
    """Windows of the records one by one, noted in the same order; says of the others why they are not."""
    for name, location in named:
        bar.update()
        try:
            recording = read_recording(location, hints=hints)
            parts = split(recording.signal_mv, recording.rate, contract.seconds, which)
        except CgdmerError as error:
            tell(bar, f"{name}: left out: {error}")
            continue
        n_before = len(rows.record)
        yield from _windows(contract, name, recording, parts, rows, bar)
        n_used = len(rows.record) - n_before
        if n_used:
            rows.n_windows_left_out += len(parts.windows) - n_used
            if parts.passed_over:
                tell(bar, f"{name}: {parts.passed_over}")


def _windows(
    contract: InputContract, name: str, recording: Recording, parts: Split, rows: Rows, bar: tqdm.tqdm
) -> Iterator[Prepared]:
    for part in parts.windows:
        where = f"{name} from {part.start_s:g} s" if len(parts.windows) > 1 else name
        try:
            prepared = prepare(contract, part.signal, recording.rate, recording.names, "mV")
        except CgdmerError as error:
            tell(bar, f"{where}: left out: {error}")
            continue
        for what in remarks_of(prepared, recording.extra_leads if part is parts.windows[0] else ()):
            tell(bar, f"{where}: {what}")
            rows.suspicious.add(name)
        rows.record.append(name)
        rows.start_s.append(part.start_s)
        yield prepared


def remarks_of(prepared: Prepared, extra_leads: tuple[str, ...]) -> list[str]:
    found = remarks({"lead_absent": ~prepared.lead_mask}, {}) + prepared.remarks
    if extra_leads:
        told = f"none of the twelve leads, and not used: {', '.join(extra_leads)}"
        found.append(f"{told} ({inverted(extra_leads)})" if inverted(extra_leads) else told)
    return found
