"""Profile of a training step: device time of its kernels by kind and by name, from a profiler trace."""

import gzip
import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

import jax

from benchmarks.train_step import batches_of, method_of, ours
from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m benchmarks.profile_step --config=configs/cgdmer.py:small --out=results/profile.json"
# First match counts. Names as NVIDIA's libraries and XLA give them to their kernels.
GROUPS = {
    "attention": r"fmha|flash|cudnn.*sdpa|mha",
    "matrix product": r"gemm|nvjet|cutlass|cublas|xmma|dot",
    "copy": r"memcpy|memset|copy|dynamic.update.slice|transpose",
    "fused elementwise and reductions": r"fusion|loop|input|reduce|wrapped|scatter|gather|select",
}
ALL = "all kernels"


def kernels_of(folder: Path) -> Counter:
    """Microseconds of device time by kernel name, over everything traced."""
    files = sorted(folder.rglob("*.trace.json.gz"))
    if not files:
        raise CgdmerError(f"the profiler left no *.trace.json.gz under {folder}; does this jaxlib have a profiler?")
    events = json.loads(gzip.open(files[-1]).read())["traceEvents"]
    names = {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    devices = {e["pid"] for e in events if e.get("name") == "process_name" and "/device:" in e["args"]["name"]}
    found = Counter()
    for event in events:
        if event.get("ph") != "X" or event["pid"] not in devices:
            continue
        if "Stream" in names.get((event["pid"], event["tid"]), ""):  # the other rows repeat them by module and op
            found[event["name"]] += event.get("dur", 0)
    if not found:
        raise CgdmerError(f"{files[-1]} has no kernels of a device; on a CPU there are none to see")
    return found


def table(kernels: Counter, steps: int, most: int) -> list[dict]:
    """Rows of milliseconds a step and share: every group, then the `most` longest kernels."""
    total = sum(kernels.values())

    def row(kind, name, microseconds):
        time = round(microseconds / 1e3 / steps, 3)
        return {kind: name, "milliseconds": time, "share": round(microseconds / total, 4)}

    groups = Counter()
    for name, microseconds in kernels.items():
        fits = (group for group, pattern in GROUPS.items() if re.search(pattern, name, re.IGNORECASE))
        groups[next(fits, "other")] += microseconds
    rows = [row("group", ALL, total), *(row("group", *pair) for pair in groups.most_common())]
    return rows + [row("kernel", name[:120], time) for name, time in kernels.most_common(most)]


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are overridden as --config.a.b=value")
    parser.add_argument("--steps", type=int, default=5, help="traced, after three others (default 5)")
    parser.add_argument("--most", type=int, default=20, help="kernels that are listed (default 20)")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    config = load_config(args.config, overrides)
    run = ours(method_of(config), config, batches_of(config))
    run(3)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run(args.steps)
        rows = table(kernels_of(Path(folder)), args.steps, args.most)
    for row in rows:
        name = row.get("group") or "  " + row["kernel"]
        print(f"{name:60.60} {row['milliseconds']:9.3f} ms a step {row['share']:7.1%}")
    if args.out:
        write_figures(args.out, [row | {"device": jax.devices()[0].device_kind} for row in rows])
    return 0


if __name__ == "__main__":
    cli.run(main)
