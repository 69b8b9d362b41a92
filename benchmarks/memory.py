"""Memory of one device in a training step against batch size and rematerialisation, as XLA plans it; nothing is run."""

import os

import jax
from ml_collections import ConfigDict

from benchmarks.train_step import SEED, method_of, optimizer_of, shapes_of_batch
from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import load_config
from cgdmer_jax.models.transformer import REMAT_POLICIES
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.training_run import state_shapes
from cgdmer_jax.training import placement
from cgdmer_jax.training.sharding import BATCH, make_mesh
from cgdmer_jax.training.step import make_step

EXAMPLE = "python -m benchmarks.memory --config=configs/cgdmer.py:base --batch_sizes=64,256 --out=results/memory.json"
GIB = 2**30


def planned(config: ConfigDict, rate: int) -> dict:
    """GiB of state, temporaries and both, on one device of the mesh of all."""
    method, mesh, key = method_of(config, rate), make_mesh(), jax.random.key(SEED)
    batch, optimizer_config = shapes_of_batch(config, rate), optimizer_of(config)
    shapes, optimizer = state_shapes(method, optimizer_config, batch, key)
    placed = placement.shardings(shapes, mesh)
    split = jax.sharding.NamedSharding(mesh, BATCH)
    step = make_step(method, optimizer, key, optimizer_config.steps, placed)
    put = jax.tree.map(lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), shapes, placed)
    rows = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=split), batch)
    plan = step.lower(put, rows).compile().memory_analysis()
    state = sum(row.bytes_per_device for row in placement.placements(shapes, placed))
    peak = plan.argument_size_in_bytes + plan.temp_size_in_bytes  # the new state takes the old one's place
    return {
        "state_gib": round(state / GIB, 3),
        "temporaries_gib": round(plan.temp_size_in_bytes / GIB, 3),
        "peak_gib": round(peak / GIB, 3),
    }


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are overridden as --config.a.b=value")
    parser.add_argument("--batch_sizes", default="64,256", help="global (default 64,256)")
    parser.add_argument("--remats", default=",".join(REMAT_POLICIES), help="policies (default all)")
    parser.add_argument("--rate", type=int, default=100, help="Hz of the 10 s recordings (default 100)")
    parser.add_argument("--devices", type=int, help="so many fake CPU devices share the batch")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if args.devices:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", args.devices)
    config = load_config(args.config, overrides)
    rows = []
    for batch_size in map(int, args.batch_sizes.split(",")):
        for remat in args.remats.split(","):
            config.data.batch_size, config.method.remat = batch_size, remat
            row = {"batch_size": batch_size, "remat": remat, "rate": args.rate, **planned(config, args.rate)}
            row |= {"dtype": config.method.dtype, "unroll": config.method.unroll, "devices": jax.device_count()}
            rows.append(row | {"device": jax.devices()[0].device_kind})
            print(f"batch {batch_size:6} remat {remat:6} {rows[-1]['peak_gib']:8.2f} GiB", flush=True)
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
