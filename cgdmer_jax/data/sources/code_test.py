"""CODE-test (Ribeiro et al. 2020, Zenodo 3765780): 827 tracings of different patients, judged by cardiologists.

Its tables name no exam: the n-th line is of the n-th tracing, as the publisher defines it. It was published to test on,
so all of it is in the test fold.
"""

from functools import partial
from pathlib import Path

from cgdmer_jax.data.sources.code15 import CLASSES, REMEDY, TASK, TASKS, abnormalities
from cgdmer_jax.data.sources.hdf5_records import read_member
from cgdmer_jax.data.sources.patient_facts import age_of, sex_of
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.splits import SPLITS
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.errors import CgdmerError

TRACINGS = ("ecg_tracings.hdf5", "tracings.hdf5")
GOLD = "annotations/gold_standard.csv"
ATTRIBUTES = "attributes.csv"


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The folder that holds the tracings, annotations/ and attributes.csv."""
    tracings = next((name for name in TRACINGS if (root / name).is_file()), None)
    for name in (tracings or TRACINGS[0], GOLD, ATTRIBUTES):
        if not (root / name).is_file():
            raise CgdmerError(f"{name} is not in {root}; --root is the folder of CODE-test that holds it")
    gold = read_table(root / GOLD, list(CLASSES), REMEDY)
    people = read_table(root / ATTRIBUTES, ["age", "sex"], REMEDY)
    if len(gold.lines) != len(people.lines):
        raise CgdmerError(
            f"{GOLD} has {len(gold.lines)} lines and {ATTRIBUTES} {len(people.lines)}, so it is not clear which "
            "tracing each is of; restore the published tables"
        )
    return Source(
        name="code-test",
        licence="CC BY 4.0",
        citation=(
            "Ribeiro, Ribeiro, Paixao, Oliveira, Gomes, Canazart, Ferreira, Andersson, Macfarlane, Meira Jr, Schon, "
            "Ribeiro: Automatic diagnosis of the 12-lead ECG using a deep neural network. Nature Communications "
            "11:1760 (2020); Zenodo, doi:10.5281/zenodo.3765780"
        ),
        records=[
            SourceRecord(
                record_id=str(place),
                patient_id=str(place),
                fold=SPLITS["test"][0],
                report="",
                age=age_of(person["age"]),
                sex=sex_of(person["sex"]),
                device=None,
                labels=abnormalities(gold, place, line),
                location=(tracings, str(place)),
            )
            for place, (line, person) in enumerate(zip(gold.lines, people.lines, strict=True))
        ],
        tasks=TASKS,
        read=partial(read_member, root, follow_links),
        tables={GOLD: gold.sha256, ATTRIBUTES: people.sha256},
        rate=400.0,
        remarks=["published as a test set: all of it is in the test fold"],
        folder=root,
        judged=(TASK,),
    )
