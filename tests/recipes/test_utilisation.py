"""Names of chips as JAX gives them, and their peaks."""

import jax
import pytest

from cgdmer_jax.recipes import utilisation
from cgdmer_jax.recipes.utilisation import PEAK, peak_of, share_a_record
from tests.training.toy import KEY, METHOD, batch_of


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("TPU v4", "v4"),
        ("TPU v5 lite", "v5e"),
        ("TPU v5", "v5p"),
        ("TPU v5p", "v5p"),
        ("TPU v6 lite", "v6e"),
    ],
)
def test_a_known_chip_has_its_peak(kind, name):
    assert peak_of(kind) == PEAK[name]


def test_a_cpu_has_no_known_peak():
    assert peak_of("cpu") is None


def test_the_share_of_one_record_a_second_is_its_products_over_the_peak_of_all_devices(monkeypatch):
    """The toy multiplies [8, 2] by [2, 1] for 8 records: 2 * 2 FLOP each, three times with the backward pass."""
    monkeypatch.setitem(utilisation.PEAK, "cpu", 1000.0)
    found = share_a_record(METHOD, METHOD.init(KEY, batch_of(0)), batch_of(0), KEY)
    assert found == pytest.approx(3 * 4 / (1000 * jax.device_count()))
