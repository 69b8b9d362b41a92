"""Collections whose WFDB headers list SNOMED CT codes after "Dx": the PhysioNet/CinC Challenges and their sources."""

from collections import Counter
from functools import partial
from pathlib import Path

from cgdmer_jax.data.sources import snomed_ct, wfdb_folder
from cgdmer_jax.data.sources.source import Source
from cgdmer_jax.data.sources.wfdb_folder import HeaderLabels

MOST_NAMED = 5
LONGEST_CODE = 18  # digits, of SNOMED CT


def open_dx_folder(
    root: Path, *, name: str, licence: str, citation: str, follow_links: bool, rate: float | None
) -> Source:
    """Every record below the root; `rate`: hertz of all of them, None where each has its own."""
    unknown: Counter[str] = Counter()
    n_without = 0

    def labels_of(facts: dict[str, str]) -> HeaderLabels:
        nonlocal n_without
        codes = codes_of(facts["Dx"])
        labels = snomed_ct.labels_of(codes)
        n_without += all(of_task is None for of_task in labels.values())
        unknown.update(code for code in codes if code not in snomed_ct.CONDITIONS)
        return labels

    listing = wfdb_folder.list_records(root, ["Dx"], labels_of, wfdb_folder.own_patient, follow_links=follow_links)
    remarks = [*listing.remarks, wfdb_folder.OWN_PATIENTS]
    if n_without:
        remarks.append(f"{n_without:,} headers name no code of Dx: these recordings are judged in no task")
    if unknown:
        told = ", ".join(f"{_shown(code)} {count:,} times" for code, count in unknown.most_common(MOST_NAMED))
        more = f", and {len(unknown) - MOST_NAMED} more codes" if len(unknown) > MOST_NAMED else ""
        remarks.append(f"Dx codes that are in no mapping table are left out ({told}{more})")
    return Source(
        name=name,
        licence=licence,
        citation=citation,
        records=listing.records,
        tasks=snomed_ct.TASKS,
        read=partial(wfdb_folder.read_recording, root, follow_links),
        tables={},
        rate=rate,
        remarks=remarks,
        folder=root,
        judged=tuple(snomed_ct.TASKS),
    )


def _shown(code: str) -> str:
    """The code, if it is one; anything else that stands in a comment may name a patient."""
    return code if code.isdecimal() and len(code) <= LONGEST_CODE else "no code"


def codes_of(dx: str) -> tuple[str, ...]:
    """The codes of a Dx comment, each once, in its order."""
    return tuple(dict.fromkeys(code.strip() for code in dx.split(",") if code.strip()))
