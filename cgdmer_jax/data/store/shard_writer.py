"""One worker's part of a conversion: read, condition and write the records of one shard.

A shard counts as done once its notes (a small JSON) were renamed into the `.partial` folder; whatever else
lies in the store before that is rewritten, so a kill at any moment costs at most the shards under way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from cgdmer_jax.contract import signal_sha256
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb import RecordError
from cgdmer_jax.data.sources.source import SourceRecord
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.shard_notes import write_notes
from cgdmer_jax.data.store.unread import check_still_there
from cgdmer_jax.data.store.waves import wave_notes
from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.waveform.conditioning import WaveformError, condition, told_in_unit
from cgdmer_jax.waveform.windows import split

LONGEST_REASON = 1000  # letters; a path may have thousands


@dataclass(frozen=True)
class ShardJob:
    """Settings shared by every shard of one conversion."""

    out: Path
    rate: float  # Hz of the store
    seconds: float
    filter: str
    derive_limb_leads: bool
    rows_per_shard: int
    n_rows: int
    read: Callable[[SourceRecord], Recording]
    folder: Path | None = None  # of the recordings
    windows: str = "first"  # what is kept of a longer recording; of "all", `read` gives one

    @property
    def n_samples(self) -> int:
        """Samples of each record in the store."""
        return round(self.rate * self.seconds)


def convert_shard(job: ShardJob, shard: int, records: list[SourceRecord]) -> int:
    """Writes one shard and then its notes; returns how many records it holds."""
    block = np.zeros((len(records), seal.N_LEADS, job.n_samples), dtype=np.int16)
    notes = [_convert_record(job, record, block[index]) for index, record in enumerate(records)]
    check_still_there(job.folder, job.read, records, notes)
    start = shard * job.rows_per_shard
    try:
        array = ts.open(seal.array_spec(job.out), open=True).result()
        array[start : start + len(records)].write(block).result()
    except ValueError as error:
        raise not_written(f"shard {shard} of {job.out}", error) from error
    entry = seal.seal_shard(job.out, shard, job.n_samples)
    write_notes(job.out, shard, entry, notes)
    return len(records)


def not_written(what: str, error: Exception) -> CgdmerError:
    """TensorStore reports a full disk as ValueError."""
    return CgdmerError(
        f"{what} could not be written ({reason_of(error)}); "
        "free disk space or fix the folder, then run the same command again: it continues"
    )


def _convert_record(job: ShardJob, record: SourceRecord, row: np.ndarray) -> dict[str, Any]:
    """Fills the record's row [lead, sample] in microvolts; a rejected record leaves it zero and says why."""
    unit = None
    try:
        recording = job.read(record)
        unit = recording.unit_given
        [window], passed_over = split(recording.signal_mv, recording.rate, job.seconds, job.windows)
        conditioned = condition(
            window.signal,
            recording.rate,
            recording.names,
            "mV",
            target_rate=job.rate,
            seconds=job.seconds,
            filter=job.filter,
            derive_limb_leads=job.derive_limb_leads,
        )
    except WaveformError as error:
        return _rejected(error.problem, told_in_unit(error, unit))
    except RecordError as error:
        # Without the folder: the same recordings elsewhere give the same bytes.
        folder = str(Path(error.record).parent)
        return _rejected(error.problem, str(error).replace(f"{folder}/", ""))
    row[:] = conditioned.signal
    quality, agreement = conditioned.quality, conditioned.agreement
    marked = {}
    if recording.waves is not None:
        waves = wave_notes(recording.waves, window.start_s, recording.rate, job.rate, job.n_samples)
        marked = {"waves": waves}
    return marked | {
        "lead_mask": conditioned.lead_mask.tolist(),
        "lead_flagged": quality.flagged.tolist(),
        "lead_implausible": quality.implausible.tolist(),
        "lead_derived": conditioned.derived.tolist(),
        "nan_share": _numbers(quality.nan_share),
        "flat_share": _numbers(quality.flat_share),
        "clipped_share": _numbers(quality.clipped_share),
        "amplitude_mv": _numbers(quality.amplitude_mv),
        "einthoven_mv": _number(agreement.einthoven_mv),
        "goldberger_mv": _number(agreement.goldberger_mv),
        "arms_swapped": agreement.arms_swapped,
        "limb_leads_disagree": agreement.disagree,
        "samples_filled": int(np.sum(conditioned.n_filled)),
        "valid_length": int(conditioned.valid_length),
        "longer": passed_over is not None,
        "signal_sha256": signal_sha256(row),
        "extra_leads": list(dict.fromkeys(recording.extra_leads + conditioned.extra_leads)),
    }


def _rejected(problem: str, reason: str) -> dict[str, Any]:
    """Notes of a record that is not used; a file's name in the reason may be bytes of another encoding."""
    return {"problem": problem, "reason": reason.encode("utf-8", "backslashreplace").decode()[:LONGEST_REASON]}


def _numbers(values: np.ndarray) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """To a tenth of a microvolt or of a thousandth; null where unknown."""
    return None if math.isnan(value) else round(float(value), 4)
