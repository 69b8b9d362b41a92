"""Runs every benchmark on a machine that does nothing else meanwhile; the JSON goes to results/."""

import subprocess
import sys

from cgdmer_jax import cli, path_arguments

EXAMPLE = "python -m benchmarks.run_all --store=stores/ptbxl100"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--store",
        type=path_arguments.names,
        default="stores/synthetic100",
        help="for the loader (default: the quickstart's)",
    )
    args = parser.parse_args(words)
    of_loader = [f"--store={args.store}"]
    for name, more in {"generator": [], "store": [], "loader": of_loader, "flops": [], "code_size": []}.items():
        out = f"--out=results/{name.replace('_', '-')}.json"
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", out, *more], check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    cli.run(main)
