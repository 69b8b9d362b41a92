"""Why protocol merl treats encoders differently: how far their features vary, and how many of its prompts are cut.

Reads what experiments.evaluate left in the folders of runs on PTB-XL; nothing is embedded again.
"""

from pathlib import Path

import numpy as np

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.published_splits import published_prompts, read_tables
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.data.text.tokenizer import encode, load_tokenizer
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.training.run_folder import RunFolder

EXAMPLE = (
    "python -m benchmarks.merl_scales --run=runs/text-scratch --run=runs/merl --tables=data/merl_data_split "
    "--out=results/merl-scales.json"
)
COLLECTION, SPLIT, FEATURE = "ptbxl", "validation", "main"


def spreads(run: Path) -> list[dict]:
    """Median over the features of their standard deviation over the recordings, of each weights that were embedded."""
    files = sorted((run / "evaluation" / COLLECTION / SPLIT).glob(f"features-*-{FEATURE}+aligned-*.npz"))
    if not files:
        raise CgdmerError(f"{run} has no features {FEATURE}; run experiments.evaluate --split={SPLIT} first")
    rows = []
    for file in files:
        with np.load(file) as arrays:
            features = arrays[FEATURE].astype(np.float64)
        weights = file.name.split("-")[1]
        row = {"run": run.name, "weights": weights if weights.startswith("random") else "trained", "feature": FEATURE}
        spread = float(np.median(features.std(0)))
        rows.append(row | {"n_recordings": len(features), "median_standard_deviation": round(spread, 5)})
    return rows


def cut_prompts(run: Path, texts: list[str]) -> dict:
    """Number of texts longer than the run reads."""
    folder = RunFolder(run)
    longest = folder.config()["data"]["max_tokens"]
    _, _, n_cut = encode(load_tokenizer(folder.tokenizer), texts, longest)
    return {"run": run.name, "prompts": len(texts), "max_tokens": longest, "cut": n_cut}


def prompts_of(tables: Path) -> list[str]:
    """The release's text of each class of the collection's tasks, cleaned as an evaluation does."""
    classes = dict.fromkeys(name for table in read_tables(tables, COLLECTION) for name in table.classes)
    return [clean(text, COLLECTION) or "" for text in published_prompts(tables, list(classes))]


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--run", type=path_arguments.path, action="append", required=True, help="evaluated run; may be given again"
    )
    parser.add_argument(
        "--tables", type=path_arguments.path, required=True, help="folder merl_data_split of MERL's release"
    )
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args = parser.parse_args(words)
    texts = prompts_of(args.tables)
    rows = [row for run in args.run for row in (*spreads(run), cut_prompts(run, texts))]
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
