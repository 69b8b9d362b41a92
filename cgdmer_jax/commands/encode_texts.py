"""Encodes each distinct report of a store once with a frozen text encoder; training then reads vectors."""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.models.text.tower import POOLINGS
from cgdmer_jax.recipes.text_vectors import encode_texts

EXAMPLE = "python -m experiments.encode_texts --store=stores/ptbxl100 --text=minilm"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--store",
        type=path_arguments.names,
        required=True,
        help="converted store; several by comma, as a run names them",
    )
    parser.add_argument(
        "--text",
        type=path_arguments.names,
        required=True,
        help="folder or hf://owner/name@revision of the text encoder",
    )
    parser.add_argument("--pooling", choices=POOLINGS, default="mean", help="from tokens to a vector (default mean)")
    parser.add_argument("--max_tokens", type=int, default=64, help="longer reports are cut (default 64)")
    args = parser.parse_args(words)
    encode_texts(tuple(args.store.split(",")), args.text, args.pooling, args.max_tokens)
    return 0
