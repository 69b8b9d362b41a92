"""Placement of parameters: by rule on the path, moments as their parameters, small ones everywhere."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.placement import (
    FREE_BYTES,
    Placed,
    check_memory,
    check_replicated,
    memory_of_machine,
    placement_table,
    placements,
    shardings,
    spec_of,
)
from cgdmer_jax.training.sharding import AXES, make_mesh

WIDTH = 512


def mesh(n_fsdp):
    return AbstractMesh((2, n_fsdp), AXES, axis_types=(AxisType.Auto,) * 2)


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, np.float32)


STATE = {
    "variables": {
        "params": {
            "encoder": {"blocks": {"mlp": {"kernel": shape(24, WIDTH, 4 * WIDTH)}}, "norm": {"scale": shape(WIDTH)}},
            "embed": shape(1000, WIDTH),
        }
    },
    "optimizer": [{"mu": {"encoder": {"blocks": {"mlp": {"kernel": shape(24, WIDTH, 4 * WIDTH)}}}}}],
}


def test_the_largest_axis_is_split_but_never_that_of_the_layers():
    placed = shardings(STATE, mesh(4))
    params = placed["variables"]["params"]
    assert params["encoder"]["blocks"]["mlp"]["kernel"].spec == PartitionSpec(None, None, "fsdp")
    assert params["embed"].spec == PartitionSpec("fsdp")
    assert params["encoder"]["norm"]["scale"].spec == PartitionSpec()
    assert spec_of("encoder/blocks/x", (4096, 64, 64), 4) == PartitionSpec(None, "fsdp")
    assert spec_of("encoder/frozen_blocks/x", (4096, 64, 64), 4) == PartitionSpec(None, "fsdp")
    assert spec_of("encoder/myblocks/x", (4096, 64, 64), 4) == PartitionSpec("fsdp")


def test_moments_lie_as_their_parameters():
    placed = shardings(STATE, mesh(4))
    moment = placed["optimizer"][0]["mu"]["encoder"]["blocks"]["mlp"]["kernel"]
    assert moment.spec == placed["variables"]["params"]["encoder"]["blocks"]["mlp"]["kernel"].spec


@given(st.lists(st.integers(1, 300), max_size=4), st.sampled_from([1, 2, 3, 8]), st.booleans())
def test_a_split_is_always_one_that_devices_can_hold(sizes, n_fsdp, in_blocks):
    """100 examples: the axis divides, is behind the layers, and nothing that divides is larger."""
    spec = spec_of("a/blocks/b" if in_blocks else "a/b", tuple(sizes), n_fsdp, smallest=64)
    split = [axis for axis, name in enumerate(spec) if name == "fsdp"]
    able = [n for n in sizes[int(in_blocks) :] if n % n_fsdp == 0]
    if n_fsdp == 1 or np.prod(sizes) < 64 or not able:
        assert not split
    else:
        assert len(split) == 1 and sizes[split[0]] == max(able) and split[0] >= int(in_blocks)


def test_the_table_says_bytes_per_device_of_each_and_of_all():
    rows = placements(STATE, shardings(STATE, mesh(4)))
    kernel, norm = (next(r for r in rows if r.path.endswith(name)) for name in ("mlp/kernel", "norm/scale"))
    assert kernel.bytes == 24 * WIDTH * 4 * WIDTH * 4 == 4 * kernel.bytes_per_device
    assert norm.bytes == norm.bytes_per_device == 4 * WIDTH
    table = placement_table(rows).splitlines()
    assert f"{kernel.bytes_per_device:,}" in next(line for line in table if "mlp/kernel" in line)
    n_parameters = sum(r.bytes for r in rows if r.path.startswith("variables/")) // 4  # float32
    assert table[-2].startswith(f"{n_parameters:,} parameters ")
    assert table[-1].split()[-2:] == [f"{sum(r.bytes for r in rows):,}", f"{sum(r.bytes_per_device for r in rows):,}"]


def test_too_much_on_every_device_is_refused_once_fsdp_is_asked_for():
    odd = {"variables": {"params": {"wide": shape(FREE_BYTES // 4 // 1001 + 1001, 1001)}}}
    rows = placements(odd, shardings(odd, mesh(8)))
    with pytest.raises(CgdmerError, match=r"splits parameters over 8 devices.*params/wide.*choose a number") as caught:
        check_replicated(rows, 8)
    assert "\n" not in str(caught.value)
    check_replicated(placements(odd, shardings(odd, mesh(1))), 1)
    check_replicated(placements(STATE, shardings(STATE, mesh(8))), 8)


def test_a_state_larger_than_the_memory_is_refused_before_it_is_made():
    here = make_mesh()
    of_each = memory_of_machine() // here.size

    def rows(n_bytes: int) -> list[Placed]:
        return [Placed("variables/params/wide", (n_bytes // 4,), "float32", PartitionSpec(), n_bytes, n_bytes)]

    check_memory(rows(of_each // 8), here)
    with pytest.raises(
        CgdmerError, match=r"state take [\d,]+ GB, and there are \d+ GB \(the largest: variables/params/wide"
    ):
        check_memory(rows(2 * of_each), here)
