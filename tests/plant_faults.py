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

from experiments.figures import write_figures

ROOT = Path(__file__).parents[1]
COPIED = ("benchmarks", "cgdmer_jax", "configs", "experiments", "tests", "setup.cfg", "pyproject.toml")
SECONDS = 1800  # of one pytest run


class Fault(NamedTuple):
    """Exact texts of one file and what stands there instead; the test files that must notice."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "pairs of the same report are kept as negatives",
        "cgdmer_jax/methods/alignment.py",
        (("negative = both & ~same", "negative = both & ~jnp.eye(len(text_id), dtype=bool)"),),
        ("tests/methods/test_alignment.py",),
    ),
    Fault(
        "each modality has a shared encoder of its own",
        "cgdmer_jax/models/heads.py",
        (
            ("encoder() if self.one_shared else {m", "{m"),
            ("self.shared_encoder if self.one_shared else self.shared_encoder[", "self.shared_encoder["),
        ),
        ("tests/models/test_heads.py",),
    ),
    Fault(
        "an absent lead is in the scale",
        "cgdmer_jax/models/scaling.py",
        (("live = lead_mask[:, :, None] &", "live = jnp.ones_like(lead_mask)[:, :, None] &"),),
        ("tests/models/test_scaling.py",),
    ),
    Fault(
        "hidden patches are among the keys: every slot is live",
        "cgdmer_jax/models/masking.py",
        (
            (
                "kept = Slots(order[:, :slots].astype(jnp.int32), k)",
                "kept = Slots(order[:, :slots].astype(jnp.int32), jnp.minimum(n_valid, slots))",
            ),
        ),
        ("tests/methods/test_cgdmer_hidden.py",),
    ),
    Fault(
        "k_i is rounded down",
        "cgdmer_jax/models/masking.py",
        (("np.round((1 - hide_ratio) * n)", "np.floor((1 - hide_ratio) * n)"),),
        ("tests/models/test_masking.py",),
    ),
    Fault(
        "k_i is rounded in float32: a hidden token finds no slot",
        "cgdmer_jax/models/masking.py",
        (
            (
                "k = jnp.asarray(counts)[n_valid]",
                "k = jnp.clip(jnp.round((1 - hide_ratio) * n_valid).astype(jnp.int32), 1, slots).clip(max=n_valid)",
            ),
        ),
        ("tests/models/test_masking.py",),
    ),
    Fault(
        "HSIC is not debiased: the diagonals stay",
        "cgdmer_jax/methods/disentangling.py",
        (
            (
                "off_diagonal = (live[:, None] & live[None, :]) & ~jnp.eye(len(live), dtype=bool)",
                "off_diagonal = live[:, None] & live[None, :]",
            ),
        ),
        ("tests/methods/test_disentangling.py",),
    ),
    Fault(
        "records without text (text_id -1) are aligned",
        "cgdmer_jax/methods/alignment.py",
        (("live = text_id != NO_TEXT", "live = jnp.ones_like(text_id, dtype=bool)"),),
        ("tests/methods/test_alignment.py",),
    ),
    Fault(
        "a stale token cache is accepted",
        "cgdmer_jax/data/text_cache.py",
        (("    if differing:\n", "    if False:\n"),),
        ("tests/data/test_tokens.py",),
    ),
    Fault(
        "special tokens are masked like words",
        "cgdmer_jax/models/token_masking.py",
        (("words = is_word(tokens, token_mask, marks)", "words = token_mask"),),
        ("tests/models/test_token_masking.py",),
    ),
    Fault(
        "a flipped bit of a checkpoint is accepted",
        "cgdmer_jax/training/manifest.py",
        (
            (
                "if expected != (_own_sha256(manifest) if name == MANIFEST else file_sha256(path)):",
                "if False:",
            ),
        ),
        ("tests/training/test_checkpoint.py",),
    ),
    Fault(
        "every epoch has the order of the first",
        "cgdmer_jax/data/loader.py",
        (('f"{self._identity} {epoch}"', "self._identity"),),
        ("tests/data/test_loader.py",),
    ),
    Fault(
        "distinct rows come back sorted, not in the order asked for",
        "cgdmer_jax/data/store.py",
        (("if len(distinct) == len(rows) and np.array_equal(distinct, rows):", "if len(distinct) == len(rows):"),),
        ("tests/data/test_store.py",),
    ),
    Fault(
        "hosts take every n-th record of a batch in turn",
        "cgdmer_jax/data/loader.py",
        (
            (
                "slice(process_index * share, (process_index + 1) * share)",
                "slice(process_index, None, process_count)",
            ),
        ),
        ("tests/data/test_loader.py",),
    ),
    Fault(
        "leads are placed by position, not by name",
        "cgdmer_jax/waveform.py",
        (("arranged_mv[[LEADS.index(lead) for lead in found]] =", "arranged_mv[: len(found)] ="),),
        ("tests/test_waveform.py",),
    ),
    Fault(
        "no patient is hashed in the contract",
        "experiments/build.py",
        (
            (
                'return tuple(sorted(patient_sha256(p) for p in patients if p.startswith(f"{namespace}:")))',
                "return ()",
            ),
        ),
        ("tests/experiments/test_leaks.py",),
    ),
    Fault(
        "the probe is fitted on the fold that it scores",
        "experiments/scoring.py",
        (("for part in (folds.fit, folds.choose,", "for part in (folds.fit + folds.score, folds.choose,"),),
        ("tests/experiments/test_leaks.py",),
    ),
    Fault(
        "the bootstrap draws records instead of patients",
        "cgdmer_jax/evaluation/bootstrap.py",
        (
            (
                "patients, of_record = np.unique(patient_ids, return_inverse=True)",
                "patients, of_record = patient_ids, np.arange(len(patient_ids))",
            ),
        ),
        ("tests/evaluation/test_bootstrap.py",),
    ),
)


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
            raise SystemExit(f'{fault.file} holds "{old}" {text.count(old)} times, expected once; mend {__file__}')
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
            raise SystemExit(
                f"{sound.output[-2000:]}\nwithout any fault {sound.red or 'pytest'} fails; mend that first"
            )
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
