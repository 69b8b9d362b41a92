"""Memory of one device for the dense alignment loss and its gradient, against the global batch; nothing is run."""

import jax
import jax.numpy as jnp

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.methods.losses import contrastive
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.training.sharding import BATCH, make_mesh

EXAMPLE = "python -m benchmarks.alignment_memory --out=results/alignment-memory.json"
EMBEDDING, TOKENS, VOCABULARY = 256, 64, 4096  # of configs/cgdmer.py:base
GIB = 2**30


def info_nce(ecg, text, text_id, tokens):
    return contrastive.info_nce(ecg, text, contrastive.pair_up(text_id, None, same_text="ignored"), jnp.float32(0.07))


def siglip(ecg, text, text_id, tokens):
    pairs = contrastive.pair_up(text_id, None, same_text="ignored")
    return contrastive.siglip(ecg, text, pairs, jnp.float32(10), jnp.float32(-10))


def statements_left_out(ecg, text, text_id, tokens):
    """InfoNCE under `statement_dropout`: reports that became equal are no negatives."""
    pairs = contrastive.pair_up(text_id, contrastive.same_tokens(tokens), same_text="ignored")
    return contrastive.info_nce(ecg, text, pairs, jnp.float32(0.07))


def near_duplicates(ecg, text, text_id, tokens):
    """InfoNCE under `near_duplicate`: nearly equal reports are no negatives."""
    alike = contrastive.near_duplicates(tokens, tokens > 0, vocabulary=VOCABULARY, threshold=0.9)
    return contrastive.info_nce(ecg, text, contrastive.pair_up(text_id, alike, same_text="ignored"), jnp.float32(0.07))


LOSSES = (info_nce, siglip, statements_left_out, near_duplicates)


def planned(loss, batch_size: int) -> float:
    """GiB of arguments and temporaries on one device."""
    split = jax.sharding.NamedSharding(make_mesh(), BATCH)

    def shape(*axes, dtype=jnp.float32):
        return jax.ShapeDtypeStruct((batch_size, *axes), dtype, sharding=split)

    arguments = shape(EMBEDDING), shape(EMBEDDING), shape(dtype=jnp.int32), shape(TOKENS, dtype=jnp.int32)
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)), out_shardings=(None, (split, split)))
    plan = step.lower(*arguments).compile().memory_analysis()
    return (plan.argument_size_in_bytes + plan.temp_size_in_bytes) / GIB


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--batch_sizes", default="1024,4096,16384", help="global (default 1024,4096,16384)")
    parser.add_argument("--devices", type=int, default=8, help="fake CPU devices that share it (default 8)")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args = parser.parse_args(words)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", args.devices)
    rows = []
    for batch_size in map(int, args.batch_sizes.split(",")):
        for loss in LOSSES:
            row = {"loss": loss.__name__, "batch_size": batch_size, "devices": args.devices}
            rows.append(row | {"gib_a_device": round(planned(loss, batch_size), 3)})
            print(f"batch {batch_size:6} {loss.__name__:20} {rows[-1]['gib_a_device']:8.3f} GiB", flush=True)
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
