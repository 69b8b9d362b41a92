"""Placement of arrays: a mesh over all devices, the batch split over both of its axes."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError

AXES = ("data", "fsdp")
BATCH = PartitionSpec(AXES)


def make_mesh(sizes: tuple[int, int] = (0, 1)) -> Mesh:
    """All devices as (data, fsdp); 0 takes the devices that the other axis leaves.

    Host after host, so that each host's rows of a batch are neighbours and the loader need not know the mesh; on a TPU
    the order of device ids would not give that.
    """
    devices = jax.device_count()
    if len(sizes) != 2 or min(sizes) < 0 or sum(size == 0 for size in sizes) > 1:
        raise CgdmerError(f"config.run.mesh is {sizes}; give two numbers (data, fsdp), one of which may be 0: the rest")
    known = max(sizes[0], 1) * max(sizes[1], 1)
    if devices % known or (0 not in sizes and known != devices):
        raise CgdmerError(
            f"config.run.mesh is {sizes}, which does not take the {devices} devices there are; "
            f"give two numbers whose product is {devices}, or 0 for one of them"
        )
    shape = tuple(size or devices // known for size in sizes)
    ordered = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(ordered).reshape(shape), AXES, axis_types=(AxisType.Auto,) * 2)


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    if batch_size % mesh.size:
        raise CgdmerError(
            f"config.data.batch_size is {batch_size}, which {mesh.size} devices cannot share evenly; "
            f"choose a multiple of {mesh.size}"
        )


def own_rows(batch_size: int) -> slice:
    """This host's rows of a global batch, as the loader reads them."""
    share = batch_size // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def place_batch(batch: Batch, mesh: Mesh) -> Batch:
    """This process's rows of a global batch -> global arrays split over both axes."""
    split = NamedSharding(mesh, BATCH)
    return jax.tree.map(lambda rows: jax.make_array_from_process_local_data(split, rows), batch)
