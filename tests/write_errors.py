"""Writes docs/errors.md: what each bad input of tests/bad_inputs.py is answered.

`python -m tests.write_errors`
"""

import tempfile
from pathlib import Path

from tests.bad_inputs import CASES, Case, outcome
from tests.outcome import Outcome

PAGE = Path(__file__).parents[1] / "docs/errors.md"
HEAD = """# What bad input is answered

Made by `python -m tests.write_errors` from the cases of `tests/bad_inputs.py`, each of which is a test. Exit code 0:
the command went on without that record or with its mark, and says so; 1: it stopped; "raises": a `CgdmerError`
in Python. Nothing is repaired in silence. (*): a limit on the size of a file stands for the full disk; the system then
says "File too large" in place of "No space left on device".

| input | exit code | answer |
|---|---|---|
"""


def table_line(case: Case, found: Outcome) -> str:
    code = "raises" if found.code is None else str(found.code)
    return f"| {case.input} | {code} | {found.sentence.replace('|', '/')} |"


def main() -> None:
    lines = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(table_line(case, outcome(case, Path(folder))))
            print(lines[-1])
    PAGE.write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
