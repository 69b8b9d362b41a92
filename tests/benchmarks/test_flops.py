"""FLOPs of a step: three forward passes of what learns, one of what is frozen."""

from benchmarks.flops import forward_and_backward, method_and_batch
from cgdmer_jax.methods.cgdmer.flops import flops_by_part

SIX_BLOCKS = {
    "kind": "bert", "vocabulary": 500, "width": 384, "depth": 6, "heads": 12, "hidden": 1536, "activation": "gelu",
    "epsilon": 1e-12, "max_tokens": 64, "token_types": 2, "counted_from": None, "pooler": True, "mask_id": 4,
    "special_ids": [0, 1, 2, 3, 4], "weights_sha256": "",
}  # fmt: skip


def test_what_learns_costs_three_forward_passes_and_what_is_frozen_one():
    two_of_six = method_and_batch("minilm", SIX_BLOCKS)
    parts = flops_by_part(*two_of_six)
    frozen = parts["text encoder"] * 4 / 6
    expected = 3 * sum(parts.values()) - 2 * frozen
    assert 0.97 * expected < forward_and_backward(*two_of_six) < 1.05 * expected
