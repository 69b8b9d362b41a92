"""Cost of CG-DMER: parts counted by hand, and the promised proportions.

See docs/design.md, "Encoders" and "Decoders".
"""

import numpy as np
import pytest

from cgdmer_jax.methods.cgdmer.flops import ECG_SIDE, TEXT_SIDE, flops_by_part
from configs.cgdmer import get_config
from tests.methods.conftest import N_TOKENS, PATCH, VOCABULARY
from tests.methods.sized import method_of, shapes

SIZE_NAMES = ("nano", "tiny", "small", "base")


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, int]]:
    """Counted from shapes alone."""
    configs = {size: get_config(size) for size in SIZE_NAMES}
    return {size: flops_by_part(method_of(c), shapes(c.data.max_tokens)) for size, c in configs.items()}


def block(queries: int, width: int, keys: int, memory_width: int) -> int:
    """Query and output maps, key and value maps, the MLP of four widths, scores and their use."""
    maps = 2 * (2 * queries * width * width) + 2 * (2 * keys * memory_width * width)
    return maps + 2 * (2 * queries * width * 4 * width) + 2 * (2 * queries * keys * width)


def test_parts_equal_their_count_by_hand(method, batch):
    found = flops_by_part(method, batch)
    kept, hidden, w = 30, 90, 16
    masked = round(0.25 * N_TOKENS)
    place = 2 * 12 * w  # the lead embedding as a one-hot product, a token
    second = 2 * (2 * w * w)  # the two input maps, a token
    assert found["ecg encoder"] == kept * (2 * PATCH * w + place) + 2 * block(kept, w, kept, w)
    assert found["ecg specific and shared"] == kept * second + 2 * block(kept, w, kept, w)
    column = 10 * w * 2 * (kept + hidden) + hidden * 2 * w * w  # of ten columns: their means, their queries', mapped
    decoder = kept * (2 * w * w + place) + hidden * (place + 2 * w * PATCH) + column + block(hidden, w, kept, w)
    assert found["ecg decoder"] == decoder
    assert found["text encoder"] == 2 * block(N_TOKENS, w, N_TOKENS, w)  # one block, two passes
    assert found["text specific and shared"] == 2 * (N_TOKENS * second + 2 * block(N_TOKENS, w, N_TOKENS, w))
    assert found["language head"] == masked * (2 * w * w + 2 * w * VOCABULARY)


def test_the_losses_cost_next_to_nothing(parts):
    for size, part in parts.items():
        assert 0 <= part["losses"] < 0.01 * sum(part.values()), size


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_the_decoder_costs_less_than_the_encoder(size, parts):
    most = 1.5 if size == "nano" else 1.0
    assert parts[size]["ecg decoder"] < most * parts[size]["ecg encoder"]


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_text_costs_at_most_half_of_the_ecg_side(size, parts):
    text, ecg = (sum(parts[size][name] for name in side) for side in (TEXT_SIDE, ECG_SIDE))
    assert text <= 0.5 * ecg


def test_sizes_grow(parts):
    assert np.all(np.diff([sum(parts[size].values()) for size in SIZE_NAMES]) > 0)
