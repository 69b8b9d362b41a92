"""Tables and files of one's own that are wrong: given to the real conversion with a small folder of recordings."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

from cgdmer_jax.commands import convert
from cgdmer_jax.data.text.own_prompts import read_prompts
from tests.data.own_folder import COLUMNS, HEADER, HINTS, lines_of, write_own
from tests.outcome import Outcome, raised, run


def own_table(
    columns: str = COLUMNS, *, more: str = "", spoil: Callable[[Path], None] = lambda table: None, **cells: str
) -> Callable[[Path], Outcome]:
    """The conversion of four recordings; `cells` by column change the second line, `spoil` the file of the table."""

    def convert_it(folder: Path) -> Outcome:
        lines = lines_of(4)
        for column, cell in cells.items():
            lines[1][HEADER.index(column)] = cell
        root, table = write_own(folder / "own", 4, lines)
        spoil(table)
        (folder / "rules.json").write_text('{"rules": [{"regex": "a+"}]}')
        out = folder / "store"
        words = ["--source=table", f"--root={root}", f"--table={table}", f"--columns={columns}", f"--out={out}"]
        words += [*HINTS, "--seconds=2", "--processes=1", *more.replace("FOLDER", str(folder)).split()]
        outcome = run(convert.main, words)
        if outcome.code == 0:
            with (out / "rejected.csv").open() as file:
                return Outcome(0, f"rejected.csv: {next(csv.DictReader(file))['reason']}")
        return outcome

    return convert_it


def one_byte(table: Path) -> None:
    """Letters of UTF-8, and a byte that is none."""
    table.write_bytes(table.read_bytes().replace(b"Sinus", "süß".encode()) + b"\xff\n")


def workbook(table: Path) -> None:
    table.write_bytes(b"PK\x03\x04" + bytes(60))


def prompts(folder: Path) -> Outcome:
    file = folder / "prompts.json"
    file.write_text(json.dumps({"prompts": {"rhythm": {"AF": ["one", "two"], "SB": "one"}}}))
    return raised(lambda: read_prompts(file))
