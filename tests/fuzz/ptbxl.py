"""PTB-XL's two tables, beside some recordings; and MERL's tables of splits."""

from pathlib import Path

from cgdmer_jax.data.sources.ptbxl import open_source, read_reports
from cgdmer_jax.data.sources.source import OLDEST
from cgdmer_jax.evaluation.merl_tables import count_tables
from tests.data.merl_tables import write_tables
from tests.data.ptbxl_root import line, write_root
from tests.fuzz.target import FolderTarget, Values

FIELDS = ("record_id", "patient_id", "fold", "report", "age", "sex", "device", "labels", "location")


def make(folder: Path) -> None:
    lines = [line(number, report=f"sinusrhythmus, lagetyp größer {number}") for number in range(2, 12)]
    lines[3] |= {"age": "", "sex": "", "device": "", "report": ""}
    lines[4] |= {"age": "300.0", "scp_codes": "{}"}
    write_root(folder / "ptbxl", lines)
    write_tables(folder / "merl", [(number, number // 2, number // 2 % 10 + 1) for number in range(2, 82)])


def read_ptbxl(root: Path) -> Values:
    source = open_source(root, 100)
    for record in source.records:
        assert record.record_id.strip() and record.patient_id.lstrip("-").isdigit() and 1 <= record.fold <= 10
        assert record.age is None or 0 <= record.age <= OLDEST
        assert record.labels.keys() == source.tasks.keys()
    values: Values = {what: [getattr(record, what) for record in source.records] for what in FIELDS}
    assert read_reports(root) == list(zip(values["fold"], values["report"], strict=True))
    return values | {"tasks": source.tasks, "remarks": source.remarks}


def read_merl(folder: Path) -> Values:
    return {"counts of MERL's tables": count_tables(folder).rows}


def make_target() -> FolderTarget:
    return FolderTarget(make, {"ptbxl": read_ptbxl, "merl": read_merl}, kept=("ptbxl/records",))
