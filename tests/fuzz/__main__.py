"""Spoils what the program reads, at random, and counts what a user gets of it.

Named: refused or warned of in a sentence. Harmless: read with the same values. Changed: read with other ones, which is
right only where no checksum guards them; the fields are counted. Fault: any other error, a hang, a crash, a sentence
that nobody can read. A fault is made again by --only=NUMBER with the same target and seed.
"""

import collections
import re
import tempfile
import time
from pathlib import Path

from cgdmer_jax import cli
from cgdmer_jax.provenance import write_figures
from tests.fuzz.target import CHANGED, FAULT, HARMLESS, NAMED, Try
from tests.fuzz.worker import Job, Peak, target_of, tries, watched

EXAMPLE = "python -m tests.fuzz --target=wfdb --seconds=600 --seed=0 --out=results/fuzzing-wfdb.json"
READERS = ("wfdb", "edf", "hdf5", "csv", "numpy", "mat")
TARGETS = (*READERS, "store", "model", "run", "ptbxl", "table", "command", "text", "torch_file")
OUTCOMES = (NAMED, HARMLESS, CHANGED, FAULT)
MOST_SHOWN = 200


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--target", required=True, choices=TARGETS, help="what is spoilt")
    parser.add_argument("--seconds", type=float, default=60.0, help="tries go on for so long (default 60)")
    parser.add_argument("--memory_gib", type=float, default=3.0, help="memory of the process (default 3)")
    parser.add_argument("--seed", type=int, default=0, help="which mutations (default 0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first try (default 0)")
    parser.add_argument("--only", type=int, help="make this one try again, here and without bounds, and show it")
    parser.add_argument("--out", type=Path, help="JSON file for the counts")
    args = parser.parse_args(words)
    job = Job(args.target, args.seed, args.memory_gib, args.first)
    if args.only is not None:
        return show(job._replace(first=args.only, n=1))
    begun, peak, found = time.monotonic(), 0.0, []
    for one in watched(job, args.seconds):
        if isinstance(one, Peak):
            peak = max(peak, one.gib)
            continue
        found.append(one)
        if one.outcome == FAULT and sum(each.outcome == FAULT for each in found) <= MOST_SHOWN:
            print(f"fault: --target={job.name} --seed={job.seed} --only={one.number}", flush=True)
            print(f"  {one.mutation}\n  {one.told}", flush=True)
    row = row_of(args.target, found, round(time.monotonic() - begun), round(peak, 2))
    print(", ".join(f"{name} {value}" for name, value in row.items() if name != "faults"))
    if args.out:
        write_figures(args.out, [row])
    return 1 if row[FAULT] else 0


def row_of(name: str, found: list[Try], seconds: float, peak_gib: float) -> dict:
    counts = collections.Counter(one.outcome for one in found)
    fields = collections.Counter(field for one in found if one.outcome == CHANGED for field in one.fields)
    faults = [one for one in found if one.outcome == FAULT][:MOST_SHOWN]
    return {
        "target": name,
        "tries": len(found),
        **{outcome: counts[outcome] for outcome in OUTCOMES},
        "changed_fields": dict(fields.most_common()),
        "seconds": seconds,
        "longest_try_s": max((one.seconds for one in found), default=0.0),
        "peak_memory_gib": peak_gib,
        "faults": [{"number": f.number, "mutation": f.mutation, "told": without_scratch(f.told)} for f in faults],
    }


def without_scratch(told: str) -> str:
    """Drops the worker's temporary folder from paths in the text: its name differs from run to run."""
    return re.sub(re.escape(tempfile.gettempdir()) + r"/[^/]+/", "", told)


def show(job: Job) -> int:
    """Makes one try in this process, in a folder that stays."""
    scratch = Path(tempfile.mkdtemp())
    target = target_of(job.name)
    target.prepare(scratch)
    (one,) = tries(job, target)
    print(f"{one.mutation}\n{one.outcome}: {one.told or ', '.join(one.fields)}\nin {scratch}")
    return 1 if one.outcome == FAULT else 0


if __name__ == "__main__":
    cli.run(main)
