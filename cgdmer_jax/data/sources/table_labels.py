"""Labels of a user's table: one column that lists classes, or one column of 0 and 1 for each class."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cgdmer_jax.data.sources.source import LabelClass
from cgdmer_jax.data.tables.cells import yes_or_no
from cgdmer_jax.data.tables.table import TableFile
from cgdmer_jax.errors import CgdmerError

SEPARATORS = (";", "|", ",")  # the first of them that stands in a column separates the classes of all its cells
MOST_CLASSES = 1000
LONGEST_CODE = 200  # letters
_LIST = re.compile(r"[\[({]?\s*(.*?)\s*[\])}]?", re.DOTALL)  # as pandas writes a list: ['AF', 'SB']


class Labels(NamedTuple):
    """One task: its classes in order, the codes of every line (None: not judged), whether () says "none of them".

    `told`: how the columns were read, in words.
    """

    classes: tuple[LabelClass, ...]
    of_line: list[tuple[str, ...] | None]
    judged: bool
    told: str


def labels_of(table: TableFile, task: str, columns: Sequence[str]) -> Labels:
    """The labels of a task in these columns."""
    return _listed(table, task, columns[0]) if len(columns) == 1 else _marked(table, task, columns)


def _listed(table: TableFile, task: str, column: str) -> Labels:
    """Classes by name; an empty cell says nothing about the record. A column of 0 and 1 is one class of that name."""
    cells = [line[column].strip() for line in table.lines]
    if all(yes_or_no(cell, decimal_comma=table.form.decimal_comma) is not None for cell in cells if cell):
        return _marked(table, task, [column])
    separator = next((one for one in SEPARATORS if any(one in cell for cell in cells)), None)
    of_line = []
    for place, cell in enumerate(cells):
        codes = [] if not cell else [_code(part) for part in (cell.split(separator) if separator else [cell])]
        codes = [code for code in codes if code]
        if any(len(code) > LONGEST_CODE for code in codes):
            raise CgdmerError(
                f"{table.at(place, column)} a label of task {task} has more than {LONGEST_CODE} characters; name a "
                "column of classes, or separate them by ;"
            )
        of_line.append(tuple(sorted(set(codes))))
    counts = Counter(code for codes in of_line for code in codes)
    if len(counts) > MOST_CLASSES:
        raise CgdmerError(
            f'{table.file}: column "{column}" holds {len(counts):,} different labels, and a task has {MOST_CLASSES:,} '
            "at most; name a column of classes, or separate them by ;"
        )
    if not counts:
        raise CgdmerError(f'{table.file}: column "{column}" holds no label of task {task}; name another column')
    told = f'column "{column}", ' + (f'classes separated by "{separator}"' if separator else "one class a record")
    classes = tuple(LabelClass(code, code) for code in sorted(counts))
    return Labels(classes, of_line, False, told)


def _code(part: str) -> str:
    """The class in a part of a cell, without the brackets and quotation marks of a list."""
    return _LIST.fullmatch(part.strip())[1].strip("'\" \t\r\n")


def _marked(table: TableFile, task: str, columns: Sequence[str]) -> Labels:
    """Classes by columns of 0 and 1; where no 0 is ever written, an empty cell is one, else it says nothing."""
    comma = table.form.decimal_comma
    marks: list[list[bool | None]] = []
    for place, line in enumerate(table.lines):
        marks.append([])
        for column in columns:
            mark = yes_or_no(line[column], decimal_comma=comma)
            if mark is None and line[column].strip():
                raise CgdmerError(
                    f"{table.at(place, column)} neither 0 nor 1, as a class of task {task} is marked; correct the "
                    "cell, or name one column that lists the classes"
                )
            marks[-1].append(mark)
    ones_alone = not any(mark is False for of_line in marks for mark in of_line)
    if not any(mark for of_line in marks for mark in of_line):
        raise CgdmerError(f"{table.file}: no record has a label of task {task} ({', '.join(columns)}); name others")
    of_line: list[tuple[str, ...] | None] = []
    for marked in marks:
        known = ones_alone or None not in marked
        of_line.append(tuple(sorted(c for c, mark in zip(columns, marked, strict=True) if mark)) if known else None)
    told = f"{len(columns)} column(s) of 0 and 1" + (", an empty cell is 0" if ones_alone else "")
    n_unknown = of_line.count(None)
    told += f"; {n_unknown:,} records with an empty cell are not labelled" * (n_unknown > 0)
    return Labels(tuple(LabelClass(name, name) for name in sorted(columns)), of_line, True, told)
