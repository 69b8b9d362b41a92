"""Delineates by a baseline in the same folds and with the same scores as experiments.delineate.

python -m baselines.delineation --baseline=unet --store=stores/ludb --out=results/delineation-unet.json
"""

import argparse
from importlib.metadata import version

from baselines.delineation.unet import UNetDelineator
from cgdmer_jax import path_arguments
from cgdmer_jax.cli import run
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.delineation import cross_validate, open_marked
from cgdmer_jax.recipes.delineate import WaveTrainer

UNET, NEUROKIT = "unet", "neurokit"


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", choices=(UNET, NEUROKIT), required=True)
    parser.add_argument("--store", type=path_arguments.names, required=True, help="converted store with marked waves")
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON file of the scores")
    parser.add_argument("--steps", type=int, default=400, help="steps of the U-Net in each fold (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of its weights, order and draws (default 0)")
    args = parser.parse_args(words)
    corpus = open_marked(args.store)
    if args.baseline == UNET:
        settings = {"method": UNET, "steps": args.steps, "seed": args.seed}
        method = UNetDelineator(corpus.rate)
        trained_fold = WaveTrainer(method, None, corpus, max_tokens=1, steps=args.steps, seed=args.seed).fold
    else:
        try:
            from baselines.delineation import neurokit
        except ModuleNotFoundError as error:
            raise CgdmerError(
                f'NeuroKit2 cannot be imported (no package {error.name}); pip install "cgdmer_jax[delineation]"'
            ) from error
        settings = {"method": NEUROKIT, "version": version("neurokit2")}
        trained_fold = neurokit.delineator(corpus)
    cross_validate(trained_fold, corpus, settings, args.out)


if __name__ == "__main__":
    run(main, resumes=True)
