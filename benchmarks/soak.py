"""A run killed and restarted again and again beside the same one left alone: whether both end alike, and memory stays.

Every second end is a SIGTERM, the others are kill -9. Both runs go at the same time and share the machine.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from orbax.checkpoint import v1 as ocp

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.training.log import untimed
from cgdmer_jax.training.loop import PREEMPTED

EXAMPLE = (
    "python -m benchmarks.soak --config=configs/quickstart.py --workdir=runs/soak --out=results/soak.json "
    "--config.data.stores=stores/synthetic100"
)
POLL_S = 0.2
WINDOW = 50  # steps of which the least and the most memory are kept: checkpoints are the peaks, the least is what stays
ENDS = (signal.SIGKILL, signal.SIGTERM)


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="FILE:SIZE; fields are changed as --config.a.b=value")
    parser.add_argument(
        "--workdir", type=path_arguments.output_folder, required=True, help="folder of both run folders"
    )
    parser.add_argument("--kills", type=int, default=20, help="how often one of them is ended (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the steps at which (default 0)")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    config = load_config(args.config, overrides)
    steps = config.optimizer.steps
    if args.kills >= steps:
        raise CgdmerError(f"--kills={args.kills} does not fit into {steps} steps; ask for fewer")
    at = np.sort(np.random.default_rng(args.seed).choice(np.arange(1, steps), args.kills, replace=False)).tolist()
    begin = [sys.executable, "-m", "experiments.pretrain", f"--config={args.config}", *overrides]
    begin.append("--config.run.log_every=1")
    begun, whole = time.monotonic(), Ended(begin, args.workdir / "whole", [])
    beside = threading.Thread(target=whole.run)
    beside.start()
    killed = Ended(begin, args.workdir / "killed", at)
    killed.run()
    beside.join()
    for one in (whole, killed):
        if one.code != 0:
            raise CgdmerError(f"the run in {one.folder} ended with {one.code}; its log is {one.log}")
    if len(killed.ended_at) < args.kills:
        raise CgdmerError(
            f"the run in {killed.folder} was at its end after {len(killed.ended_at)} kills; give it more steps"
        )
    row = {
        "steps": steps,
        "kills": args.kills,
        "ended_at": killed.ended_at,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "malloc_arena_max": os.environ.get("MALLOC_ARENA_MAX"),
        "curves_equal": curve(whole.folder) == curve(killed.folder),
        "arrays_equal": hashes(whole.folder, steps) == hashes(killed.folder, steps),
        **{
            f"{name}_{key}": value
            for name, one in (("whole", whole), ("killed", killed))
            for key, value in one.memory()
        },
    }
    print(json.dumps(row, indent=1))
    if args.out:
        write_figures(args.out, [row])
    return 0 if row["curves_equal"] and row["arrays_equal"] else 1


class Ended:
    """A run that is ended once it has logged each of these steps, and started again."""

    def __init__(self, words: list[str], folder: Path, at: list[int]):
        self.words, self.folder, self.at = [*words, f"--workdir={folder}"], folder, at
        self.log = folder.with_suffix(".log")
        self.code: int | None = None
        self.ended_at: list[int] = []  # the last logged step each time
        self.samples: list[list[tuple[int, float]]] = []  # of each start: (step, MiB resident)

    def run(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            for number, step in enumerate([*self.at, None]):
                process = subprocess.Popen(self.words, stdout=log, stderr=subprocess.STDOUT)
                self.samples.append([])
                how = ENDS[number % len(ENDS)]
                while process.poll() is None and (step is None or self._sample(process.pid) < step):
                    if step is None:
                        self._sample(process.pid)
                    time.sleep(POLL_S)
                if process.poll() is None:
                    process.send_signal(how)
                self.code = process.wait()
                if step is not None:
                    if self.code not in (-signal.SIGKILL, -signal.SIGTERM, PREEMPTED):  # SIGTERM: while it started
                        return
                    self.ended_at.append(self._last_step())

    def _sample(self, pid: int) -> int:
        """The last step of the log; notes what the process holds then."""
        step = self._last_step()
        try:
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):  # it has just ended
            return step
        if not self.samples[-1] or self.samples[-1][-1][0] != step:
            self.samples[-1].append((step, resident / 2**20))
        return step

    def _last_step(self) -> int:
        path = self.folder / "metrics.jsonl"
        return read_metrics(path)[-1]["step"] if path.exists() and path.stat().st_size else 0

    def memory(self) -> list[tuple[str, object]]:
        """MiB resident: the most of all, then of the longest start: the least and most of each window, and the slope of
        the least over the second half, where a leak shows."""
        windows: dict[int, list[float]] = {}
        for step, mib in max(self.samples, key=len):
            windows.setdefault(step // WINDOW * WINDOW, []).append(mib)
        whole = list(windows.items())[:-1]  # the last may be the one sample of the last step, amid its checkpoint
        half = [(first, min(mib)) for first, mib in whole[len(whole) // 2 :]]
        slope = round(float(np.polyfit(*np.array(half).T, 1)[0]) * 1000, 1) if len(half) > 2 else None
        return [
            ("peak_mib", round(max(mib for start in self.samples for _, mib in start), 1)),
            ("slope_mib_per_1000_steps", slope),
            ("slope_over_steps", half[-1][0] - half[0][0] if half else 0),
            ("least_most_mib_by_step", {first: [round(min(mib)), round(max(mib))] for first, mib in windows.items()}),
        ]


def curve(folder: Path) -> list[dict]:
    """metrics.jsonl without what is about time."""
    return [untimed(record) for record in read_metrics(folder / "metrics.jsonl")]


def hashes(folder: Path, step: int) -> dict[str, str]:
    """Hash of the bytes of every array of that checkpoint."""
    state = ocp.load((folder / "checkpoints" / str(step) / "state").absolute())
    return {name: hashlib.sha256(np.asarray(x).tobytes()).hexdigest() for name, x in state.items()}


if __name__ == "__main__":
    cli.run(main)
