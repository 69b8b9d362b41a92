"""Delineates P, QRS and T by the tokens of a pretrained encoder: five folds by patient of a store with marked waves.

With --model_out it then trains once on all the records and writes that as a model folder, whose `delineate` finds the
waves of your own recordings. The same command goes on behind the last finished fold. docs/delineation.md tells what is
scored and how.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.evaluation.delineation import cross_validate, marked_lines, open_marked
from cgdmer_jax.methods.delineate.config import ALL, HEAD_ALONE
from cgdmer_jax.methods.finetune.config import PRETRAINED, SCRATCH
from cgdmer_jax.recipes.build import check_contract
from cgdmer_jax.recipes.delineate import WaveTrainer, on_encoder
from cgdmer_jax.recipes.delineation_model import save_delineation
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
        "--model_out",
        type=path_arguments.new_folder,
        help="new model folder, of all the marked records, for use",
    )
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
    trainer = WaveTrainer(method, weights, corpus, max_tokens=encoder.max_tokens, steps=args.steps, seed=args.seed)
    scored = cross_validate(trainer.fold, corpus, settings, args.out)
    if args.model_out:
        lines = marked_lines(corpus)
        variables = trainer.learned(lines)
        save_delineation(args.model_out, encoder, method, variables, corpus, lines, scored["rows"], settings)
        print(f"model of {len(lines):,} records: {args.model_out}")
    return 0
