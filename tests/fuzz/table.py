"""A user's own table in four forms, with a file of cleaning rules and one of prompts."""

import json
from pathlib import Path

import pandas as pd

from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.sources.source import OLDEST
from cgdmer_jax.data.sources.table import open_table
from cgdmer_jax.data.sources.table_columns import parse_columns
from cgdmer_jax.data.text.own_cleaning import cleaned, read_cleaning
from cgdmer_jax.data.text.own_prompts import read_prompts
from tests.data.own_folder import HEADER, lines_of, write_table
from tests.fuzz.target import FolderTarget, Values

TABLES = {"csv": (",", "utf-8"), "excel": (";", "utf-16"), "latin": (";", "cp1252"), "tsv": ("\t", "utf-8-sig")}
PARQUET = "parquet"
MAPPING = parse_columns(
    "record=file,patient=person,report=text,age=age,sex=sex,split=part,labels:r=diagnosis,labels:af=AF+SB"
)
FIELDS = ("record_id", "patient_id", "fold", "report", "age", "sex", "labels")
RULES = {"lower_case": True, "rules": [{"replace": "Rhythm", "with": "rhythmus"}, {"cut_from": "edit:"}]}
PROMPTS = {"prompts": {"r": {"AF": {"en": ["a", "b"]}, "SB": {"en": ["c", "d"]}}}}


def make(folder: Path) -> None:
    lines = [[*line[:2], f"{line[2]}, größer", *line[3:]] for line in lines_of(8)]
    lines[3] = [*lines[3][:2], "", "", "", *lines[3][5:]]
    for name, (separator, encoding) in TABLES.items():
        (folder / name).mkdir()
        write_table(folder / name / "own.csv", lines, separator, encoding)
    (folder / PARQUET).mkdir()
    pd.DataFrame(lines, columns=HEADER).astype({"text": "category"}).to_parquet(folder / PARQUET / "own.csv")
    for name in (*TABLES, PARQUET):
        (folder / name / "rules.json").write_text(json.dumps(RULES))
        (folder / name / "prompts.json").write_text(json.dumps(PROMPTS))


def read(folder: Path) -> Values:
    rules, prompts = read_cleaning(folder / "rules.json"), read_prompts(folder / "prompts.json")
    found = open_table(folder, folder / "own.csv", MAPPING, name="own", cleaning=rules, hints=Hints())
    records = found.source.records
    for record in records:
        assert record.record_id.strip() and record.patient_id.strip() and 1 <= record.fold <= 10
        assert record.age is None or 0 <= record.age <= OLDEST
        assert record.sex in ("male", "female", None) and record.labels.keys() == found.source.tasks.keys()
    values: Values = {what: [getattr(record, what) for record in records] for what in FIELDS}
    values["texts"] = [cleaned(record.report, "own", rules) for record in records]
    return values | {"classes": found.source.tasks, "remarks": found.source.remarks, "prompts": prompts.prompts}


def make_target() -> FolderTarget:
    return FolderTarget(make, dict.fromkeys((*TABLES, PARQUET), read))
