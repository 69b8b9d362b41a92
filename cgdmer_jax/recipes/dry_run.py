"""Compiles the training step for a mesh of stated size on fake CPU devices, from shapes alone: no weight is in memory.

Called by `python -m experiments.pretrain --dry_run=DATAxFSDP`, and so by experiments.finetune.
"""

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from cgdmer_jax.batch import Batch
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.fields import from_fields
from cgdmer_jax.methods.protocol import Method
from cgdmer_jax.recipes.config_fields import check_fields
from cgdmer_jax.recipes.finetune import prepare
from cgdmer_jax.recipes.starting_encoder import StartingEncoder
from cgdmer_jax.recipes.training_run import state_shapes
from cgdmer_jax.recipes.untrained import blank_with_records, untrained
from cgdmer_jax.recipes.utilisation import PEAK, flop_a_record
from cgdmer_jax.training import placement, sharding
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.step import make_step

UTILISATION = 0.4  # of the peak: what a well-kept run of this kind reaches
MIB = 2**20


def dry_run(config: ConfigDict, topology: str, accelerator: str) -> dict:
    """Prints where every parameter of a pretraining lies, bytes a device, FLOPs a record and the rate that 40 % of the
    peak means.

    What it returns is the same as figures.
    """
    config, mesh = check_fields(config), fake_mesh(topology, accelerator)
    method, batch = untrained(config, open_corpus(tuple(config.data.stores)))
    return compiled_for(mesh, config, method, batch, accelerator)


def dry_run_finetuning(
    config: ConfigDict, load_encoder: Callable[[], StartingEncoder], topology: str, accelerator: str
) -> dict:
    """The same of fine-tuning, with the arguments of `finetune`."""
    mesh = fake_mesh(topology, accelerator)
    ready = prepare(config, RunFolder(Path("no-run")), load_encoder)
    batch = blank_with_records(ready.config, ready.contract, ready.method, ready.corpus)
    return compiled_for(mesh, ready.config, ready.method, batch, accelerator)


def fake_mesh(topology: str, accelerator: str) -> Mesh:
    """So many fake CPU devices; raises for what is no topology, or a chip of which the peak is not known."""
    sizes = _sizes(topology)
    if accelerator not in PEAK:
        raise CgdmerError(f'--accelerator is "{accelerator}".{suggest(accelerator, PEAK)}')
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", sizes[0] * sizes[1])
    return sharding.make_mesh(sizes)


def compiled_for(mesh: Mesh, config: ConfigDict, method: Method, batch: Batch, accelerator: str) -> dict:
    """Compiles one step for that mesh; prints and returns what it takes."""
    sizes = tuple(mesh.shape.values())
    n_devices = mesh.size
    sharding.check_batch_size(config.data.batch_size, mesh)
    optimizer_config, key = from_fields(OptimizerConfig, config.optimizer.to_dict()), jax.random.key(config.seed)

    shapes, optimizer = state_shapes(method, optimizer_config, batch, key)
    placed = placement.shardings(shapes, mesh)
    rows = placement.placements(shapes, placed)
    print(placement.placement_table(rows))
    placement.check_replicated(rows, sizes[1])

    split = jax.sharding.NamedSharding(mesh, sharding.BATCH)
    step = make_step(method, optimizer, key, optimizer_config.steps, placed)
    begun = time.monotonic()
    compiled = step.lower(_at(shapes, placed), jax.tree.map(lambda x: _at(x, split), batch)).compile()
    seconds = time.monotonic() - begun
    memory = compiled.memory_analysis()
    print(f"compiled for {sizes[0]} x {sizes[1]} (data x fsdp) fake CPU devices in {seconds:.0f} s")
    print(f"bytes a device: state {sum(row.bytes_per_device for row in rows) / MIB:,.0f} MiB")
    print(f"  arguments {memory.argument_size_in_bytes / MIB:,.0f} MiB (state and this device's share of the batch)")
    print(f"  temporaries {memory.temp_size_in_bytes / MIB:,.0f} MiB as XLA plans them for a CPU, others differ")

    flops = flop_a_record(method, shapes.variables, batch, key)
    peak = PEAK[accelerator]
    rate = n_devices * peak * UTILISATION / flops
    print(f"{flops / 1e9:,.2f} GFLOP a record, forward and backward, by its matrix products")
    print(
        f"{UTILISATION:.0%} of {n_devices} {accelerator} ({peak / 1e12:g} TFLOP/s each) would be {rate:,.0f} records/s"
    )
    return {
        "topology": "x".join(map(str, sizes)),
        "batch_size": config.data.batch_size,
        "n_parameters": sum(math.prod(x.shape) for x in jax.tree.leaves(shapes.variables.params)),
        "state_bytes_per_device": sum(row.bytes_per_device for row in rows),
        "argument_bytes_per_device": memory.argument_size_in_bytes,
        "temporary_bytes_per_device": memory.temp_size_in_bytes,
        "compile_seconds": round(seconds, 1),
        "flop_a_record": flops,
        "accelerator": accelerator,
        "utilisation": UTILISATION,
        "records_per_second": round(rate),
    }


def _sizes(topology: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", topology)
    if not found:
        raise CgdmerError(f'--dry_run={topology} is no topology; give "DATAxFSDP", like 16x4 for 64 devices')
    return int(found[1]), int(found[2])


def _at(shapes, where):
    """Shapes with their places; `where` is a tree of the same form, or one place for a single shape."""
    return jax.tree.map(lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), shapes, where)
