"""Embeds every WFDB record of a folder with a model folder; no training, no labels, no table needed.

A record that cannot be used is left out and named with the reason; of the others, what looks wrong is told and kept.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cgdmer_jax import load
from cgdmer_jax.contract import InputContract, Prepared, prepare
from cgdmer_jax.data.wfdb_reader import read_wfdb
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.whole_file import whole_file
from experiments import command
from experiments.remarks import remarks

EXAMPLE = "python -m experiments.embed --model=models/quickstart --records=FOLDER --out=embeddings.npz"


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--model", required=True, help="model folder of experiments.export_model, or hf://owner/name@revision"
    )
    parser.add_argument("--records", type=Path, required=True, help="folder of WFDB records (.hea), searched whole")
    parser.add_argument("--out", type=Path, required=True, help=".npz file: record [n], embedding [n, feature]")
    parser.add_argument("--feature", default="main", help="one of docs/evaluation.md (default main)")
    args = parser.parse_args(words)
    encoder = load(args.model)
    paths = sorted(header.with_suffix("") for header in args.records.rglob("*.hea"))
    if not paths:
        raise CgdmerError(f"{args.records} holds no WFDB record (.hea); give the folder that does")
    names: list[str] = []
    embedding = encoder.embed_prepared(usable(encoder.contract, args.records, paths, names), feature=args.feature)
    if not names:
        raise CgdmerError(f"none of the {len(paths)} records of {args.records} can be used; the reasons stand above")
    with whole_file(args.out) as file:
        np.savez(file, record=np.array(names), embedding=embedding)
    told = f"{args.feature} of {len(names)} records, {embedding.shape[1]} wide"
    print(f"{args.out}: {told}; {len(paths) - len(names)} left out")
    return 0


def usable(contract: InputContract, root: Path, paths: list[Path], names: list[str]) -> Iterator[Prepared]:
    """Records one by one, their names noted in the same order; says of the others why they are not."""
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            recording = read_wfdb(path)
            prepared = prepare(contract, recording.signal_mv, recording.rate, recording.names, "mV")
        except CgdmerError as error:
            print(f"{name}: left out: {error}")
            continue
        for what in remarks_of(prepared, recording.extra_leads):
            print(f"{name}: {what}")
        names.append(name)
        yield prepared


def remarks_of(prepared: Prepared, extra_leads: tuple[str, ...]) -> list[str]:
    marks = {
        "lead_absent": ~prepared.lead_mask,
        "lead_flagged": prepared.quality.flagged,
        "lead_implausible": prepared.quality.implausible,
    }
    agreement = prepared.agreement
    found = remarks(marks, {"arms_swapped": agreement.arms_swapped, "limb_leads_disagree": agreement.disagree})
    if extra_leads:
        found.append(f"none of the twelve leads, and not used: {', '.join(extra_leads)}")
    return found


if __name__ == "__main__":
    command.run(main)
