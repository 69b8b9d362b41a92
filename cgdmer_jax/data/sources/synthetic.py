"""The embedded data set as a source: no folder, no table; a record's location is its number."""

import hashlib
from functools import partial

import numpy as np

from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.synthetic.dataset import GENERATOR_VERSION, generate_records, list_records
from cgdmer_jax.data.synthetic.hearts import FINDINGS
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS

SECONDS = 10.0
MOST_RECORDS = 1_000_000  # as many as the ids have digits for, and all of them are listed in memory


def open_source(n_records: int, rate: int, seed: int) -> Source:
    """Records 0..n-1 of a seed at `rate` Hz, folds by patient; a recording is made when it is read."""
    if not 1 <= n_records <= MOST_RECORDS or not 50 <= rate <= 1000 or not 0 <= seed < 2**32:
        raise CgdmerError(
            f"the synthetic source cannot make {n_records} records at {rate} Hz from seed {seed}; ask for 1 "
            f"to {MOST_RECORDS:,} records, 50 to 1000 Hz and a seed from 0 to 2**32 - 1"
        )
    listing = list_records(seed, n_records, SECONDS)
    records = [
        SourceRecord(
            record_id=f"S{i:06d}",
            patient_id=listing.patient_ids[i],
            fold=fold_of_patient(listing.patient_ids[i]),
            report=listing.reports[i],
            age=float(listing.age[i]),
            sex=listing.sex[i],
            device=None,
            labels={"findings": listing.findings[i]},
            location=i,
        )
        for i in range(n_records)
    ]
    recipe = f"generator version {GENERATOR_VERSION}, seed {seed}, {n_records} records, {rate} Hz, {SECONDS} s"
    return Source(
        name="synthetic",
        licence="Apache-2.0",
        citation="made by cgdmer_jax.data.synthetic.dataset; no human subject",
        records=records,
        tasks={"findings": tuple(LabelClass(code, name) for code, name in FINDINGS.items())},
        read=partial(read_record, seed, rate),
        tables={"recipe": hashlib.sha256(recipe.encode()).hexdigest()},
        rate=float(rate),
        remarks=[recipe],
    )


def read_record(seed: int, rate: int, record: SourceRecord) -> Recording:
    """The recording of one listed record, 12 leads in mV."""
    made = generate_records(seed, np.array([record.location]), rate, SECONDS)
    return Recording(signal_mv=made.signal_mv[0], rate=float(rate), names=LEADS, path=record.record_id)
