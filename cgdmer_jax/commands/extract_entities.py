"""Reads which cardiac entities each distinct report of a store states as present, absent or uncertain.

By the shipped phrase table, in seconds; or, when --endpoint names one, by a language model behind an OpenAI-compatible
address, to which the reports are then sent (--dry_run shows what, and sends nothing).
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.chat_endpoint import endpoint_at
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.extract_entities import counts_text, extract_entities, key_from, plan

EXAMPLE = "python -m experiments.extract_entities --store=stores/ptbxl100"
MOST_AT_ONCE = 64


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--store",
        type=path_arguments.names,
        required=True,
        help="converted store; several by comma",
    )
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file for the counts by entity")
    model = parser.add_argument_group("a language model in place of the phrase table")
    model.add_argument("--endpoint", metavar="URL", help="its address, such as http://127.0.0.1:8000/v1")
    model.add_argument("--model", help="its name there")
    model.add_argument("--key_variable", metavar="NAME", help="environment variable that holds the endpoint's key")
    model.add_argument("--at_once", type=int, default=4, help="questions under way at a time (default 4)")
    model.add_argument("--dry_run", action="store_true", help="show what would be sent where, and send nothing")
    args = parser.parse_args(words)
    stores, endpoint = tuple(args.store.split(",")), None
    if bool(args.endpoint) != bool(args.model):
        raise CgdmerError("--endpoint and --model belong together; give both, or neither for the phrase table")
    if not args.endpoint and (args.dry_run or args.key_variable):
        raise CgdmerError("--dry_run and --key_variable are for a language model; name it with --endpoint and --model")
    if not 1 <= args.at_once <= MOST_AT_ONCE:
        raise CgdmerError(f"--at_once is {args.at_once}; give a number from 1 to {MOST_AT_ONCE}")
    if args.endpoint:
        endpoint = endpoint_at(args.endpoint, args.model, key_from(args.key_variable))
    if args.dry_run:
        print(plan(stores, endpoint))
        return 0
    rows = extract_entities(stores, endpoint, args.at_once)
    print(counts_text(rows))
    if args.out:
        write_figures(args.out, rows)
    return 0
