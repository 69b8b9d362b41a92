"""Plants faults, one a run, in a copy of the checkout; each must turn a test red.

Example:
  python -m tests.plant_faults --out=results/planted-faults.json
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.provenance import write_figures
from tests.faults import FAULTS, Fault

ROOT = Path(__file__).parents[1]
COPIED = ("baselines", "benchmarks", "cgdmer_jax", "configs", "experiments", "tests", "setup.cfg", "pyproject.toml")
SECONDS = 1800  # of one pytest run


class Run(NamedTuple):
    code: int  # of pytest: 0 all green, 1 a test failed, others: it could not run
    red: str  # the first failed test, or ""
    seconds: float
    output: str


def copy_checkout(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def python(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Runs in the copy, which comes before any installed cgdmer_jax, and leaves no byte code to go stale."""
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def check_imports_the_copy(folder: Path) -> None:
    found = python(folder, "-c", "import cgdmer_jax; print(cgdmer_jax.__file__)").stdout.strip()
    if not Path(found).is_relative_to(folder):
        raise SystemExit(f"the copy in {folder} imports {found}; its own package was expected")


def run_tests(folder: Path, tests: tuple[str, ...]) -> Run:
    start = time.monotonic()
    done = python(folder, "-m", "pytest", "-x", "-rf", "--tb=line", *tests)
    failed = re.search(r"^FAILED (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    output = done.stdout + done.stderr
    return Run(done.returncode, failed.group(1) if failed else "", round(time.monotonic() - start, 1), output)


def planted(text: str, fault: Fault) -> str:
    """The file's text with the fault in it; a text that is not there exactly once is an error."""
    for old, new in fault.changes:
        if text.count(old) != 1:
            raise SystemExit(
                f'{fault.file} holds "{old}" {text.count(old)} times, expected once; correct tests/faults.py'
            )
        text = text.replace(old, new)
    return text


def try_fault(folder: Path, fault: Fault) -> Run:
    path = folder / fault.file
    original = path.read_text()
    path.write_text(planted(original, fault))
    try:
        run = run_tests(folder, fault.tests)
    finally:
        path.write_text(original)
    if run.code not in (0, 1):
        raise SystemExit(f"{run.output[-2000:]}\npytest could not run {' '.join(fault.tests)}: exit {run.code}")
    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    parser.add_argument("--only", nargs="+", default=[""], help="plant only faults whose name holds one of these texts")
    args = parser.parse_args()
    chosen = [fault for fault in FAULTS if any(text in fault.name for text in args.only)]
    for fault in chosen:  # before minutes are spent on the others
        planted((ROOT / fault.file).read_text(), fault)
        for test in fault.tests:
            if not (ROOT / test).is_file():
                raise SystemExit(f'{test} is missing, so nothing can notice "{fault.name}"; write it first')

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        copy_checkout(folder)
        check_imports_the_copy(folder)
        tests = tuple(sorted({test for fault in chosen for test in fault.tests}))
        sound = run_tests(folder, tests)
        if sound.code:
            raise SystemExit(f"{sound.output[-2000:]}\nwithout any fault {sound.red or 'pytest'} fails; fix that first")
        print(f"without any fault: all green in {sound.seconds:.0f} s", flush=True)
        for number, fault in enumerate(chosen, 1):
            run = try_fault(folder, fault)
            print(f"{number:2d}. {fault.name}: {'RED  ' + run.red if run.red else 'SURVIVED'}", flush=True)
            rows.append({"fault": fault.name, "file": fault.file, "red_test": run.red or None, "seconds": run.seconds})
    survived = sum(row["red_test"] is None for row in rows)
    print(f"{len(rows)} faults planted, {survived} survived")
    if args.out:
        write_figures(args.out, rows)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
