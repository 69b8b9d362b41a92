"""PTB Diagnostic ECG Database 1.0.0 (Bousseljot et al. 1995): the diagnosis on admission, from each header.

The Frank leads beside the twelve are not kept. The patient is the folder of a recording.
"""

import re
from collections import Counter
from functools import partial
from pathlib import Path

from cgdmer_jax.data.sources import wfdb_folder
from cgdmer_jax.data.sources.source import LabelClass, Source

REASON = "Reason for admission"
TASK = "diagnosis"
NOT_SAID = ("", "n/a", "unknown")
# Beginning of the reason, in lower case -> class; in the publisher's order, what it calls miscellaneous last.
CLASSES = {
    "myocardial infarction": "myocardial infarction",
    "cardiomyopathy": "cardiomyopathy",
    "heart failure": "heart failure",
    "bundle branch block": "bundle branch block",
    "dysrhythmia": "dysrhythmia",
    "hypertrophy": "hypertrophy",
    "myocardial hypertrophy": "hypertrophy",
    "valvular heart disease": "valvular heart disease",
    "myocarditis": "myocarditis",
    "healthy control": "healthy control",
    "stable angina": "stable angina",
    "unstable angina": "unstable angina",
    "palpitation": "palpitation",
}
_PATIENT = re.compile(r"(?:.*/)?(patient\d{1,6})/[^/]+", re.ASCII)


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """Every record below the root; its folders are the patients, as published."""
    others: Counter[str] = Counter()

    def labels_of(facts: dict[str, str]) -> wfdb_folder.HeaderLabels:
        reason = facts[REASON].casefold()
        found = tuple(code for beginning, code in CLASSES.items() if reason.startswith(beginning))
        if not found and reason not in NOT_SAID:
            others[reason[:40]] += 1
        return {TASK: found}

    listing = wfdb_folder.list_records(root, [REASON], labels_of, patient_of, follow_links=follow_links)
    remarks = list(listing.remarks)
    if others:
        remarks.append(f"{others.total():,} recordings have a diagnosis that is none of the classes")
    if any(_PATIENT.fullmatch(record.location) is None for record in listing.records):
        remarks.append(f"recordings outside a folder patient001, ...: {wfdb_folder.OWN_PATIENTS}")
    return Source(
        name="ptb",
        licence="ODC-BY 1.0",
        citation=(
            "Bousseljot, Kreiseler, Schnabel: Nutzung der EKG-Signaldatenbank CARDIODAT der PTB über das Internet. "
            "Biomedizinische Technik 40, Ergänzungsband 1:S317 (1995); PhysioNet, doi:10.13026/C28C71"
        ),
        records=listing.records,
        tasks={TASK: tuple(LabelClass(code, code) for code in dict.fromkeys(CLASSES.values()))},
        read=partial(wfdb_folder.read_recording, root, follow_links),
        tables={},
        rate=1000.0,
        remarks=remarks,
        folder=root,
    )


def patient_of(location: str) -> str:
    """The folder that is called after a patient, else the record's own name."""
    found = _PATIENT.fullmatch(location)
    return found[1] if found else wfdb_folder.own_patient(location)
