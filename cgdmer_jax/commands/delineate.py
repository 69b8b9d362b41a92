"""Delineates P, QRS and T by the tokens of a pretrained encoder: five folds by patient of a store with marked waves.

The same command goes on behind the last finished fold. docs/delineation.md tells what is scored and how.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.evaluation.delineation import cross_validate, open_marked
from cgdmer_jax.methods.delineate.method import ALL, HEAD_ALONE
from cgdmer_jax.methods.finetune.config import PRETRAINED, SCRATCH
from cgdmer_jax.recipes.build import check_contract
from cgdmer_jax.recipes.delineate import fold_trainer, on_encoder
from cgdmer_jax.recipes.starting_encoder import encoder_of_model, encoder_of_run
from cgdmer_jax.short_paths import short

EXAMPLE = "python -m experiments.delineate --run=runs/nano --store=stores/ludb --out=results/delineation-nano.json"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--run", type=path_arguments.path, help="run folder of the pretrained encoder")
    where.add_argument("--model", type=path_arguments.names, help="or its model folder, or hf://owner/name@revision")
    parser.add_argument("--store", type=path_arguments.names, required=True, help="converted store with marked waves")
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON file of the scores")
    parser.add_argument(
        "--init", choices=(PRETRAINED, SCRATCH), default=PRETRAINED, help=f"{SCRATCH}: the same encoder untrained"
    )
    parser.add_argument(
        "--trained", choices=(ALL, HEAD_ALONE), default=ALL, help=f"{HEAD_ALONE}: the encoder stays as it is"
    )
    parser.add_argument("--steps", type=int, default=400, help="steps of each fold, of 16 records (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of first weights, order and draws (default 0)")
    args = parser.parse_args(words)
    encoder = encoder_of_run(args.run) if args.run else encoder_of_model(args.model)
    corpus = open_marked(args.store)
    check_contract(encoder.contract, corpus, args.store)
    method, weights = on_encoder(encoder, init=args.init, trained=args.trained)
    settings = {
        "method": encoder.name,
        "encoder_from": short(str(args.run or args.model)),
        "encoder_sha256": encoder.sha256,  # a run may have gone on, another folder may have that name
        "seen_in_training": corpus.fingerprint in {part.fingerprint for part in encoder.contract.trained_on},
        **{name: getattr(args, name) for name in ("init", "trained", "steps", "seed")},
    }
    trained_fold = fold_trainer(
        method, weights, corpus, max_tokens=encoder.max_tokens, steps=args.steps, seed=args.seed
    )
    cross_validate(trained_fold, corpus, settings, args.out)
    return 0
