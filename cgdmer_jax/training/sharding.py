"""Where arrays live: a mesh over all devices, the batch split over it, the state on every device."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError

AXES = ("data", "fsdp")


def make_mesh() -> Mesh:
    """All devices along `data`."""
    return jax.make_mesh((jax.device_count(), 1), AXES, axis_types=(AxisType.Auto,) * 2)


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    if batch_size % mesh.size:
        raise CgdmerError(
            f"config.data.batch_size is {batch_size}, which {mesh.size} devices cannot share evenly; "
            f"choose a multiple of {mesh.size}"
        )


def place_batch(batch: Batch, mesh: Mesh) -> Batch:
    """This process's rows of a global batch -> global arrays split over both axes."""
    split = NamedSharding(mesh, PartitionSpec(AXES))
    return jax.tree.map(lambda rows: jax.make_array_from_process_local_data(split, rows), batch)
