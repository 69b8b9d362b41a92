"""CPSC2018 (Liu et al. 2018): the original folders of .mat files with REFERENCE.csv, or the challenge's WFDB layout.

Nine classes, up to three a recording, the same in both layouts.
"""

from functools import partial
from pathlib import Path

from cgdmer_jax.data.readers.formats import Location, read_recording
from cgdmer_jax.data.readers.record_files import listed_path
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources import wfdb_folder
from cgdmer_jax.data.sources.dx_headers import codes_of
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.errors import CgdmerError

REFERENCE = "REFERENCE.csv"
COLUMNS = ["Recording", "First_label", "Second_label", "Third_label"]
TASK = "diagnosis"
# In the order of the original numbers 1 to 9: code as published, name, and the challenge's SNOMED CT code.
CLASSES = (
    ("Normal", "normal ECG", "426783006"),
    ("AF", "atrial fibrillation", "164889003"),
    ("I-AVB", "first-degree AV block", "270492004"),
    ("LBBB", "left bundle branch block", "164909002"),
    ("RBBB", "right bundle branch block", "59118001"),
    ("PAC", "premature atrial contraction", "284470004"),
    ("PVC", "premature ventricular contraction", "164884008"),
    ("STD", "ST-segment depression", "429622005"),
    ("STE", "ST-segment elevation", "164931005"),
)
BY_NUMBER = {str(number): code for number, (code, _, _) in enumerate(CLASSES, start=1)}
BY_SNOMED = {snomed: code for code, _, snomed in CLASSES}
REMEDY = "restore the published table"


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The original layout where a REFERENCE.csv is in the root or a folder in it, else WFDB records below it."""
    references = sorted([*root.glob(REFERENCE), *root.glob(f"*/{REFERENCE}")])
    if references:
        records, tables = _original(root, references)
        remarks, read = (
            [wfdb_folder.OWN_PATIENTS, "age and sex stand inside the .mat files and are not read"],
            _read_mat,
        )
    else:
        listing = wfdb_folder.list_records(root, ["Dx"], _labels_of, wfdb_folder.own_patient, follow_links=follow_links)
        records, tables, read = listing.records, {}, wfdb_folder.read_recording
        remarks = [*listing.remarks, wfdb_folder.OWN_PATIENTS]
    return Source(
        name="cpsc2018",
        licence="CC BY 4.0, as republished in the PhysioNet/CinC Challenge 2021",
        citation=(
            "Liu, Liu, Zhao, Zhang, Wu, Xu, Liu, Ma, Wei, He, Li, Ng: An Open Access Database for Evaluating the "
            "Algorithms of Electrocardiogram Rhythm and Morphology Abnormality Detection. Journal of Medical Imaging "
            "and Health Informatics 8:1368-1373 (2018)"
        ),
        records=records,
        tasks={TASK: tuple(LabelClass(code, name) for code, name, _ in CLASSES)},
        read=partial(read, root, follow_links),
        tables=tables,
        rate=500.0,
        remarks=remarks,
        folder=root,
    )


def _labels_of(facts: dict[str, str]) -> wfdb_folder.HeaderLabels:
    codes = codes_of(facts["Dx"])
    return {TASK: tuple(code for snomed, code in BY_SNOMED.items() if snomed in codes)}


def _original(root: Path, references: list[Path]) -> tuple[list[SourceRecord], dict[str, str]]:
    """Records in table order, and the hashes of the tables."""
    files = {path.stem: path.relative_to(root).as_posix() for path in sorted(root.rglob("*.mat"))}
    records, tables = [], {}
    for reference in references:
        table = read_table(reference, COLUMNS, REMEDY)
        tables[reference.relative_to(root).as_posix()] = table.sha256
        for place, line in enumerate(table.lines):
            name = line["Recording"].strip()
            if not name:
                raise CgdmerError(f"{table.at(place, 'Recording')} no name of a recording; {REMEDY}")
            found = set()
            for column in COLUMNS[1:]:
                number = line[column].strip().removesuffix(".0")
                if number and number not in BY_NUMBER:
                    raise CgdmerError(f"{table.at(place, column)} no class from 1 to {len(BY_NUMBER)}; {REMEDY}")
                found.add(number)
            labels = {TASK: tuple(code for number, code in BY_NUMBER.items() if number in found)}
            fold = fold_of_patient(name)
            location = files.get(name, f"{name}.mat")
            records.append(SourceRecord(name, name, fold, "", None, None, None, labels, location))
    return records, tables


def _read_mat(root: Path, follow_links: bool, record: SourceRecord) -> Recording:
    path = listed_path(root, record.location, record.record_id)
    return read_recording(Location(path), None if follow_links else root)
