"""Profile of a training step from a profiler trace: kernels of a GPU, or operations of a CPU, by kind and by name.

An operation of a CPU has the name that XLA gave it, `fusion.12`; the compiled step says what part of the model that is.
What a step costs beyond that (threads that help, memory that the kernel hands out anew) is a row of its own.
"""

import gzip
import json
import os
import re
import resource
import tempfile
from collections import Counter
from pathlib import Path

import jax

from benchmarks.train_step import batches_of, compiled_step, method_of, runner
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
# The same for operations of a CPU, whose names are those of modules and of JAX's primitives.
CPU_GROUPS = {
    "matrix products of the MLPs": r"mlp/.*dot_general",
    "matrix products of attention": r"attention/.*dot_general",
    "other matrix products": r"dot_general",
    "layer norm": r"norm",
    "GELU, biases and residual sums": r"mlp/|blocks/add",
    "attention: softmax, masks, layout": r"attention",
    "losses": r"softmax|take_along_axis|logsumexp",
    "optimiser and gradient norm": r"^\w*$",  # in no module
}
# Operations are timed on the thread that starts them; what the others compute for it is in the second.
ALL, OUTSIDE = "all operations", "other processor time"


def traced(folder: Path) -> tuple[list[dict], dict[tuple, str], set[int]]:
    """Events of the trace, name of each thread, and the processes that stand for devices."""
    files = sorted(folder.rglob("*.trace.json.gz"))
    if not files:
        raise CgdmerError(f"the profiler left no *.trace.json.gz under {folder}; does this jaxlib have a profiler?")
    events = json.loads(gzip.open(files[-1]).read())["traceEvents"]
    threads = {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    devices = {e["pid"] for e in events if e.get("name") == "process_name" and "/device:" in e["args"]["name"]}
    return [e for e in events if e.get("ph") == "X"], threads, devices


def kernels_of(folder: Path) -> Counter:
    """Microseconds of device time by kernel name, over everything traced."""
    events, threads, devices = traced(folder)
    found = Counter()
    for event in events:
        # The other rows of a device repeat its streams by module and by operation.
        if event["pid"] in devices and "Stream" in threads.get((event["pid"], event["tid"]), ""):
            found[event["name"]] += event.get("dur", 0)
    if not found:
        raise CgdmerError(f"the trace in {folder} has no kernels of a device; does this jaxlib profile it?")
    return found


def operations_of(folder: Path, compiled: str) -> Counter:
    """Microseconds by what an operation is of, over everything traced on a CPU; `compiled` is the step as text."""
    names = dict(re.findall(r'^ *(?:ROOT )?%?([\w.\-]+) = .*op_name="([^"]*)"', compiled, re.MULTILINE))
    found = Counter()
    for event in traced(folder)[0]:
        if "hlo_op" in event.get("args", {}):
            found[part_of(names.get(event["name"], event["name"]))] += event.get("dur", 0)
    if not found:
        raise CgdmerError(f"the trace in {folder} has no operations; does this jaxlib profile a CPU?")
    return found


def part_of(op_name: str) -> str:
    """Module and primitive out of the path that JAX notes, with its direction: "mlp/up/dot_general, backward"."""
    backward = ", backward" if "transpose(" in op_name else ""
    path = re.sub(r"^jit\(step\)/|\w+\(|\)|closed_call/|while/body/|checkpoint/", "", op_name).split("/")
    return "/".join([name for name in path if name][-3:]) + backward


def table(times: Counter, steps: int, most: int, groups: dict[str, str]) -> list[dict]:
    """Rows of milliseconds a step and share: every group, then the `most` longest."""
    total = sum(times.values())

    def row(kind, name, microseconds):
        time = round(microseconds / 1e3 / steps, 3)
        return {kind: name, "milliseconds": time, "share": round(microseconds / total, 4)}

    grouped = Counter()
    for name, microseconds in times.items():
        fits = (group for group, pattern in groups.items() if re.search(pattern, name, re.IGNORECASE))
        grouped[next(fits, "other")] += microseconds
    rows = [row("group", ALL, total), *(row("group", *pair) for pair in grouped.most_common())]
    return rows + [row("name", name[:120], time) for name, time in times.most_common(most)]


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are overridden as --config.a.b=value")
    parser.add_argument("--steps", type=int, default=5, help="traced, after three others (default 5)")
    parser.add_argument("--most", type=int, default=20, help="kernels or operations that are listed (default 20)")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    config = load_config(args.config, overrides)
    batches = batches_of(config)
    compiled, state = compiled_step(method_of(config), config, batches[0])
    run = runner(compiled, state, batches)
    run(3)
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_SELF)
        with jax.profiler.trace(folder):
            run(args.steps)
        after = resource.getrusage(resource.RUSAGE_SELF)
        if jax.default_backend() == "cpu":
            times = operations_of(Path(folder), compiled.as_text())
            rows = table(times, args.steps, args.most, CPU_GROUPS)
            rows.append(outside(before, after, times, args.steps))
        else:
            rows = table(kernels_of(Path(folder)), args.steps, args.most, GROUPS)
    for row in rows:
        name = row.get("group") or "  " + row["name"]
        print(f"{name:60.60} {row['milliseconds']:9.3f} ms a step {row['share']:7.1%}")
    if args.out:
        write_figures(args.out, [row | {"device": jax.devices()[0].device_kind} for row in rows])
    return 0


def outside(
    before: resource.struct_rusage, after: resource.struct_rusage, times: Counter, steps: int
) -> dict[str, str | float]:
    """Row of the processor time beyond the operations, and the pages of memory handed out anew, a step."""
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    milliseconds = (seconds * 1e3 - sum(times.values()) / 1e3) / steps
    return {
        "group": OUTSIDE,
        "milliseconds": round(milliseconds, 3),
        "share": round(milliseconds * steps * 1e3 / sum(times.values()), 4),
        "of_the_kernel_ms": round((after.ru_stime - before.ru_stime) * 1e3 / steps, 3),
        "page_faults": round((after.ru_minflt - before.ru_minflt) / steps),
    }


if __name__ == "__main__":
    cli.run(main)
