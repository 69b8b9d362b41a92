"""Draws one synthetic record of every finding on ECG paper, so that a reader can judge the generator."""

import numpy as np

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.synthetic.dataset import generate
from cgdmer_jax.data.synthetic.hearts import FINDINGS
from cgdmer_jax.report.ecg_paper import ecg_page_svg

EXAMPLE = "python -m experiments.draw_pages --out=docs/img"
RATE = 250  # Hz; enough for a line on paper
CANDIDATES = 300


def main(words: list[str]) -> None:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--out", type=path_arguments.output_folder, required=True, help="folder for synthetic_<finding>.svg"
    )
    parser.add_argument("--seed", type=int, default=1, help="patients to draw from (default 1)")
    flags = parser.parse_args(words)
    flags.out.mkdir(parents=True, exist_ok=True)
    made = generate(flags.seed, CANDIDATES, RATE)
    for code, name in FINDINGS.items():
        i = purest(made.findings, code)
        page = ecg_page_svg(
            made.signal_mv[i].astype(np.float64),
            RATE,
            title=f"{name[0].upper()}{name[1:]} (synthetic)",
            subtitle=f"{made.sex[i]}, {made.age[i]} years. {made.reports[i]}",
        )
        file = flags.out / f"synthetic_{code.lower()}.svg"
        file.write_text(page)
        print(f"{file}: record {i} of seed {flags.seed}: {made.reports[i]}")


def purest(findings: list[tuple[str, ...]], code: str) -> int:
    """The first record with the finding and as little else as can be: at most a sinus rhythm beside it."""
    return next(i for i, codes in enumerate(findings) if codes in ((code,), ("SR", code)))


if __name__ == "__main__":
    cli.run(main)
