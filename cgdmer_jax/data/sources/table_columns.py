"""The mapping of `--columns`: which column of a user's table says what."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cgdmer_jax.errors import CgdmerError, suggest

FIELDS = ("record", "patient", "report", "age", "sex", "device", "fold", "split")
LABELS = "labels:"  # + task
EXAMPLE = "--columns=record=file,patient=patient_id,report=report,labels:rhythm=diagnosis"
TASK_NAME = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True)
class Mapping:
    """Column, or columns by "+", as written: of each field that was named, and of each task of labels."""

    fields: dict[str, str]
    tasks: dict[str, str]


def parse_columns(text: str) -> Mapping:
    """The pairs FIELD=COLUMN by comma; a pair whose column holds a comma stands in double quotes, as in a CSV."""
    try:
        pairs = next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise CgdmerError(f"--columns cannot be read ({error}); write it as {EXAMPLE}") from error
    fields: dict[str, str] = {}
    tasks: dict[str, str] = {}
    for pair in pairs:
        field, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not column:
            raise CgdmerError(f'--columns has "{pair:.80}", which names no column; write it as {EXAMPLE}')
        known = tasks if field.startswith(LABELS) else fields
        name = field.removeprefix(LABELS) if known is tasks else field
        if known is fields and field not in FIELDS:
            known_fields = ", ".join([*FIELDS, f"{LABELS}TASK"])
            near = suggest(field, [*FIELDS, LABELS])
            near = near if near.startswith(" Did you") else ""
            raise CgdmerError(f'--columns names the unknown field "{field:.80}"; known: {known_fields}.{near}')
        if known is tasks and not TASK_NAME.fullmatch(name):
            raise CgdmerError(
                f'--columns has the task "{name:.80}"; name it with letters, digits, "_", "-" and ".", as in {EXAMPLE}'
            )
        if name in known:
            raise CgdmerError(f"--columns names {field} twice; join columns by +")
        known[name] = column
    if "record" not in fields:
        raise CgdmerError(f"--columns does not say which column holds the files (record=...); write it as {EXAMPLE}")
    if "fold" in fields and "split" in fields:
        raise CgdmerError("--columns names fold and split, and each says which records train; name one of them")
    return Mapping(fields, tasks)


def columns_of(written: str, columns: Sequence[str]) -> list[str]:
    """The columns that "A+B" means: A and B, or the one that is called so."""
    parts = [written] if written in columns else [part.strip() for part in written.split("+")]
    if len({*parts}) < len(parts):
        raise CgdmerError(f'--columns joins a column with itself ("{written:.80}"); name each once')
    return parts
