"""Everything that is measured on a GPU, in one go and into one JSON: `make gpu-report`.

First, at once: what only has to be compiled (both sides of the comparison, for the caches of the second part), the
memory table, and a short pretraining on synthetic recordings with its evaluation. Then, one by one on a device that
does nothing else: attention, ours against torch, the profile. A part that fails is told, with its last lines.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.utilisation import PEAK, chip_of
from cgdmer_jax.short_paths import short_words

EXAMPLE = "python -m benchmarks.gpu_report --out=results/gpu-report.json"
LAST_LINES = 8
OF_CLASS = "class"  # rows of evaluation are many; those of all classes together are enough here
TOGETHER = (None, "macro", "macro_ge10")


@dataclass(frozen=True)
class Part:
    """Commands of one part, in a row; the last one writes `rows` to the JSON that is named in it, if any."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    result: Path | None = None
    flags: str = ""  # of XLA


class Running:
    """A part that was started: its commands run one after the other in a shell-free child of this process."""

    def __init__(self, part: Part, folder: Path, environment: dict[str, str]):
        self.part, self.begun = part, time.monotonic()
        self.log = folder / f"{part.name}.log"
        flags = f"{environment.get('XLA_FLAGS', '')} {part.flags}".strip()
        script = (
            "import ast, subprocess, sys\n"
            "for words in ast.literal_eval(sys.argv[1]):\n"
            "    if code := subprocess.run(words).returncode: sys.exit(code)"
        )
        commands = repr([[sys.executable, "-m", *words] for words in part.commands])
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", script, commands],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment | {"XLA_FLAGS": flags},
                start_new_session=True,  # so that a part that takes too long ends with its children
            )

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()

    def finish(self, until: float) -> dict:
        """Its row of the report; what still runs at `until` (monotonic seconds) is ended."""
        try:
            code = self.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        seconds = round(time.monotonic() - self.begun, 1)
        name, result = self.part.name, self.part.result
        row = {
            "part": name,
            "seconds_at_most": seconds,
            "commands": [" ".join(short_words(c)) for c in self.part.commands],
        }
        print(f"{name}: {'out of time' if code is None else f'exit code {code}'} at {seconds:.0f} s", flush=True)
        if code == 0 and (result is None or result.is_file()):
            rows = json.loads(result.read_text())["rows"] if result else []
            return row | {"rows": [found for found in rows if found.get(OF_CLASS) in TOGETHER]}
        why = "out of time" if code is None else f"no {result}" if code == 0 else f"exit code {code}"
        lines = self.log.read_text(errors="replace").replace("\r", "\n").splitlines()[-LAST_LINES:]
        return row | {"failed": why, "last_lines": lines}


def parts(folder: Path, accelerator: str, smoke: bool) -> tuple[list[Part], list[Part]]:
    """(those that run at once, those that run alone). A smoke test has no profile: a CPU has no kernels to see."""
    base = ["--config=configs/cgdmer.py:base", "--config.data.batch_size=256", "--config.method.remat=none"]
    base += ["--config.method.unroll=12"]
    small = ["--config=configs/cgdmer.py:small", "--config.data.batch_size=256"]
    records, steps, turns, peak = 4000, 300, ["--steps=10", "--repeats=5"], [f"--accelerator={accelerator}"]
    memory = ["--batch_sizes=256,1024", "--config.method.unroll=1"]
    if smoke:
        tiny = ["--config=configs/cgdmer.py:nano", "--config.data.batch_size=8", "--config.method.unroll=1"]
        tiny += ["--config.method.ecg.depth=1", "--config.method.text.depth=1"]
        base, small, memory = tiny, tiny, ["--batch_sizes=8", "--remats=none"]
        records, steps, turns = 200, 4, ["--steps=1", "--repeats=1"]
    store, run = folder / "store", folder / "run"

    def result(name: str) -> Path:
        return folder / f"{name}.json"

    def benchmark(name: str, *words: str) -> Part:
        return Part(name, ((f"benchmarks.{name}", *words, f"--out={result(name)}"),), result(name))

    once = ["--steps=1", "--repeats=1"]
    quick = "" if smoke else "--xla_gpu_autotune_level=0"  # which kernel is fastest changes no plan of the memory
    schedule = [f"--config.optimizer.steps={steps}", f"--config.run.validate_every={steps}"]
    less = ["--config.run.diagnose_every=0", "--config.run.validation_records=256"]
    scored = ["--random_seeds=1", "--parts=probe,zero_shot,retrieval"]
    training = (
        ("experiments.convert", "--source=synthetic", f"--records={records}", f"--out={store}"),
        ("experiments.pretrain", *small, f"--workdir={run}", f"--config.data.stores=('{store}',)", *schedule, *less),
        ("experiments.evaluate", f"--run={run}", f"--store={store}", "--split=validation", *scored),
    )
    figures = run / "evaluation" / "synthetic" / "validation" / "results.json"
    together = [
        Part("compile ours", (("benchmarks.train_step", *base, "--ways=ours", *once),)),
        Part("compile torch", (("benchmarks.train_step", *base, "--ways=torch.compile", *once),)),
        Part("pretrain and evaluate", training, figures),
        Part("memory", (("benchmarks.memory", *small, *memory, f"--out={result('memory')}"),), result("memory"), quick),
    ]
    alone = [
        benchmark("attention", *base),
        benchmark("train_step", *base, *turns, *([] if smoke else peak)),
    ]
    return together, alone if smoke else [*alone, benchmark("profile_step", *base)]


def report(accelerator: str, minutes: float, smoke: bool) -> list[dict]:
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"),
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        together, alone = parts(folder, accelerator, smoke)
        running: list[Running] = []

        def begin(part: Part) -> Running:
            running.append(Running(part, folder, environment))
            return running[-1]

        try:
            # A third of the time stays for what is timed.
            rows = [one.finish(until - 20 * minutes) for one in [begin(part) for part in together]]
            return rows + [begin(part).finish(until) for part in alone]
        finally:
            for one in running:  # interrupted: they are no children of the terminal and would keep the GPU
                one.kill()


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--accelerator", choices=PEAK, help="whose peak counts (default: the GPU's own)")
    parser.add_argument("--minutes", type=float, default=20, help="what is not done by then is told so (default 20)")
    parser.add_argument("--smoke", action="store_true", help="smallest sizes, on any device: does it run?")
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON file of the report")
    args = parser.parse_args(words)
    kind = None if args.smoke else _gpu_kind()
    if not args.smoke and kind is None:
        raise CgdmerError("JAX sees no GPU here; install it (pip install -e '.[gpu]'), or try --smoke")
    accelerator = args.accelerator or ("h100" if args.smoke else chip_of(kind))
    if accelerator is None:
        raise CgdmerError(f"the peak of {kind} is not known; give --accelerator={'|'.join(PEAK)}, the one next to it")
    rows = report(accelerator, args.minutes, args.smoke)
    write_figures(args.out, rows)
    print(f"written to {args.out}")
    return any("failed" in row for row in rows)


def _gpu_kind() -> str | None:
    """Asked in a child, since this process is to take no memory of the device."""
    code = "import jax; print(jax.devices('gpu')[0].device_kind)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return asked.stdout.strip() if asked.returncode == 0 else None


if __name__ == "__main__":
    cli.run(main)
