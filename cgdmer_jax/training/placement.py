"""Splits parameters over the axis `fsdp` by ordered rules on their path; the optimiser's moments follow.

One rule list serves all methods: what is large is split along its largest axis that the devices divide (FSDP), the
layer axis of scanned blocks never, since each turn of the scan would then wait for one device.
"""

import math
import os
import re
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from cgdmer_jax.errors import CgdmerError

SPLIT, SPLIT_BEHIND_LAYERS = "split", "split behind the layer axis"
# (regex on the path, rule); the first match counts. A moment's path ends as its parameter's does.
RULES = ((r"(^|/)(frozen_)?blocks/", SPLIT_BEHIND_LAYERS), (r"", SPLIT))
SMALLEST = 2**16  # elements; splitting less saves no memory worth a message between devices
FREE_BYTES = 2**28  # replicated bytes that nobody minds
REPLICATED_SHARE = 0.25  # of all bytes, at most, once fsdp is asked for


@dataclass(frozen=True)
class Placed:
    """One array of the state: where it lies."""

    path: str  # variables/params/ecg_encoder/..., optimizer/1/mu/...
    shape: tuple[int, ...]
    dtype: str
    spec: PartitionSpec
    bytes: int
    bytes_per_device: int


def path_of(path: tuple) -> str:
    """Path of a leaf in any pytree: keys, fields and positions by name."""
    return "/".join(str(getattr(entry, "key", getattr(entry, "name", getattr(entry, "idx", "")))) for entry in path)


def spec_of(path: str, shape: tuple[int, ...], n_fsdp: int, smallest: int = SMALLEST) -> PartitionSpec:
    """Split over `fsdp` along the largest axis that `n_fsdp` divides, or whole everywhere."""
    rule = next(rule for pattern, rule in RULES if re.search(pattern, path))
    first = 1 if rule == SPLIT_BEHIND_LAYERS else 0
    able = [axis for axis in range(first, len(shape)) if shape[axis] % n_fsdp == 0]
    if n_fsdp == 1 or np.prod(shape, dtype=np.int64) < smallest or not able:
        return PartitionSpec()
    chosen = max(able, key=lambda axis: shape[axis])
    return PartitionSpec(*(("fsdp" if axis == chosen else None) for axis in range(chosen + 1)))


def shardings(state: Any, mesh: Mesh | AbstractMesh, smallest: int = SMALLEST) -> Any:
    """A NamedSharding for each array of a pytree of shapes or arrays."""
    n_fsdp = mesh.shape["fsdp"]
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: NamedSharding(mesh, spec_of(path_of(path), leaf.shape, n_fsdp, smallest)), state
    )


def placements(state: Any, placed: Any) -> list[Placed]:
    """Lists what `shardings` decided, array by array."""
    rows = []
    leaves = jax.tree_util.tree_leaves_with_path(state)
    for (path, leaf), sharding in zip(leaves, jax.tree.leaves(placed), strict=True):
        size = leaf.dtype.itemsize
        whole = int(np.prod(leaf.shape, dtype=np.int64)) * size
        part = int(np.prod(sharding.shard_shape(leaf.shape), dtype=np.int64)) * size
        rows.append(Placed(path_of(path), leaf.shape, str(leaf.dtype), sharding.spec, whole, part))
    return rows


def check_replicated(rows: list[Placed], n_fsdp: int) -> None:
    """Refuses a state of which too much stays on every device although fsdp was asked for."""
    whole = [row for row in rows if row.bytes == row.bytes_per_device]
    replicated, total = sum(row.bytes for row in whole), sum(row.bytes for row in rows)
    if n_fsdp > 1 and replicated > max(FREE_BYTES, REPLICATED_SHARE * total):
        largest = max(whole, key=lambda row: row.bytes)
        raise CgdmerError(
            f"config.run.mesh splits parameters over {n_fsdp} devices, but {replicated / 2**20:.0f} of "
            f"{total / 2**20:.0f} MiB stay on each of them (the largest: {largest.path}, {largest.shape}); "
            "choose a number that divides the widths of the model"
        )


def memory_of_machine() -> int:
    """Bytes of the whole memory, free or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_memory(rows: list[Placed], mesh: Mesh) -> None:
    """Refuses a state that the devices of this process cannot hold, before anything of it is made.

    What a step needs beside it is not known here, so that less may still be too much.
    """
    devices = [device for device in mesh.devices.flat if device.process_index == jax.process_index()]
    needed, there = sum(row.bytes_per_device for row in rows), None
    if devices[0].platform == "cpu":  # they share the memory of the machine
        needed, there = needed * len(devices), memory_of_machine()
    elif facts := devices[0].memory_stats():
        there = facts.get("bytes_limit")
    if there and needed > there:
        largest = max(rows, key=lambda row: row.bytes)
        raise CgdmerError(
            f"the weights and the optimiser's state take {needed / 1e9:,.0f} GB, and there are {there / 1e9:,.0f} GB "
            f"(the largest: {largest.path}, {largest.shape}); choose smaller widths or depths in config.method, or "
            "split them over more devices (config.run.mesh)"
        )


def placement_table(rows: list[Placed]) -> str:
    """Arrays that share everything but their optimiser's part are one line each; the sums stand last."""
    parameters = [row for row in rows if row.path.startswith("variables/")]
    width = max(len(row.path) for row in parameters)
    lines = [f"{'array':{width}}  {'shape':>20}  {'bytes':>12}  {'per device':>12}  split"]
    for row in parameters:
        shape = "x".join(map(str, row.shape)) or "scalar"
        spec = ", ".join("-" if axis is None else str(axis) for axis in row.spec) or "on every device"
        lines.append(f"{row.path:{width}}  {shape:>20}  {row.bytes:>12,}  {row.bytes_per_device:>12,}  {spec}")
    count = sum(math.prod(row.shape) for row in parameters)
    for name, some in ((f"{count:,} parameters", parameters), ("all, with the optimiser", rows)):
        total, part = sum(row.bytes for row in some), sum(row.bytes_per_device for row in some)
        lines.append(f"{name:{width}}  {'':>20}  {total:>12,}  {part:>12,}")
    return "\n".join(lines)
