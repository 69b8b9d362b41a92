"""Arrays of users: masks, invalid values and byte order keep their meaning; lost labels and orders are refused."""

import dataclasses
import math
from collections import deque
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, dok_array

from cgdmer_jax.contract import prepare
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import depth, in_order, lead_names, plain_rate, plain_signal, plain_text
from cgdmer_jax.waveform.conditioning import LEADS
from tests.test_contract import CONTRACT
from tests.waveform.test_conditioning import heart

GAP = np.s_[7, 200:260]
WHOLE_UV = np.rint(heart() * 1000).astype(np.int32)


def with_gap() -> np.ndarray:
    """Millivolts, NaN where nothing was measured: the form that needs no interpretation."""
    signal_mv = WHOLE_UV / 1000
    signal_mv[GAP] = np.nan
    return signal_mv


def masked(signal: np.ndarray) -> np.ma.MaskedArray:
    """The gap masked, an absurd value under the mask."""
    signal = np.ma.array(signal)
    signal[GAP] = 0
    signal[GAP] = np.ma.masked
    return signal


def marked(dtype: str, mark: int) -> np.ndarray:
    signal_uv = WHOLE_UV.astype(dtype)
    signal_uv[GAP] = mark
    return signal_uv


@pytest.mark.parametrize(
    ("signal", "unit"),
    [
        (masked(WHOLE_UV / 1000), "mV"),
        (masked(WHOLE_UV.astype(np.int16)), "uV"),
        (list(masked(WHOLE_UV / 1000)), "mV"),
        (deque(masked(WHOLE_UV / 1000)), "mV"),
        (tuple(map(tuple, with_gap())), "mV"),
        (np.asmatrix(with_gap()), "mV"),
        (with_gap().astype(">f8"), "mV"),
        (marked("<i2", -32768), "uV"),
        (marked(">i2", -32768), "uV"),
        (marked("int32", -(2**31)), "uV"),
        (marked("int64", -32768), "uV"),  # digital samples as wfdb gives them
    ],
    ids=[
        "masked",
        "masked int16",
        "list of masked",
        "deque of masked",
        "tuples",
        "matrix",
        "big-endian",
        "int16",
        ">i2",
        "int32",
        "int64",
    ],
)
def test_every_way_to_say_not_measured_prepares_the_same_samples(signal, unit):
    expected = prepare(CONTRACT, with_gap(), 100, LEADS, "mV")
    assert expected.quality.nan_share[7] > 0
    made = prepare(CONTRACT, signal, 100, LEADS, unit)
    np.testing.assert_array_equal(made.signal, expected.signal)
    np.testing.assert_array_equal(made.quality.nan_share, expected.quality.nan_share)


def test_masks_in_lists_within_lists_are_kept():
    """Recordings as lists of leads, as EcgFeatures takes them; NumPy alone keeps the masks of one level."""
    recordings = [list(masked(WHOLE_UV / 1000)), list(masked(WHOLE_UV / 1000))]
    np.testing.assert_array_equal(plain_signal(recordings), np.stack([with_gap(), with_gap()]))
    assert np.isnan(plain_signal([[1.0, np.ma.masked, 3.0], [1.0, 2.0, 3.0]])).sum() == 1


def test_a_lead_that_is_masked_as_a_whole_is_absent():
    signal_mv = np.ma.array(heart())
    signal_mv[3] = np.ma.masked
    assert prepare(CONTRACT, signal_mv, 100, LEADS, "mV").lead_mask.tolist() == [lead != "aVR" for lead in LEADS]


@pytest.mark.parametrize("dtype", ["uint16", "uint8", "float16", "float32", "int8"])
def test_small_and_unsigned_numbers_keep_their_values(dtype):
    values = np.array([[0, 1, 100]], dtype)
    np.testing.assert_array_equal(plain_signal(values).astype(float), [[0, 1, 100]])


class Quantity:
    """As pint and astropy have it: numbers with a unit of their own."""

    unit = "V"

    def __array__(self, dtype=None, copy=None):
        return heart()


class NeedsGrad:
    """As a tensor of torch that is part of a graph."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (pd.DataFrame(heart().T, columns=LEADS), "a signal is a DataFrame, whose columns would be lost"),
        (pd.Series([1.0, 2.0]), "a signal is a Series, whose iloc would be lost"),
        (Quantity(), "a signal is a Quantity, whose unit would be lost"),
        (dict(zip(LEADS, heart(), strict=True)), "a signal is a dict, which has no axes"),
        ({1.0, 2.0}, "a signal is a set, which has no axes"),
        ("ecg.dat", "a signal is a str"),
        (heart() + 1j, "holds complex128, expected real numbers"),
        (heart() > 0, "holds bool, expected real numbers"),
        (heart().astype(object), "holds object, expected real numbers"),
        ([[1.0, 2.0], [1.0]], "no array of numbers"),
        (np.zeros(3, [("I", float), ("II", float)]), "expected real numbers"),
        (np.full((2, 3), np.inf, np.float16), r"it overflowed \(65,504\)"),
        ([pd.Series([1.0, 2.0]), pd.Series([3.0, 4.0])], "a signal is a Series, whose iloc would be lost"),
        ([Quantity(), Quantity()], "a signal is a Quantity, whose unit would be lost"),
        (NeedsGrad(), "no array of numbers .*requires grad"),
        (3.0, "a signal is a single number"),
        (None, "a signal is a NoneType, which is no array"),
        (csr_array(np.eye(3)), r"a signal is a csr_array, which is sparse; give signal\.toarray\(\)"),
        (dok_array(np.eye(3)), "a signal is a dok_array, which is sparse"),
        (np.array([["1.0", "2.0"]]), "holds <U3, expected real numbers"),
        ([[0.0, np.inf], [1.0, 2.0]], r"infinite or above 1e\+30 \(1, the first at \[0, 1\]\); give NaN"),
        (np.array([[0.0, -np.inf]], np.float32), r"the first at \[0, 1\]"),
        (np.array([[1e300, 0.0]]), r"the first at \[0, 0\]"),
        (np.array(3), "a signal is a single number"),
    ],
)
def test_what_would_lose_labels_or_values_is_refused_in_one_sentence(signal, words):
    with pytest.raises(CgdmerError, match=words) as caught:
        plain_signal(signal)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        (set(LEADS), "leads is a set, expected several in order"),
        (dict.fromkeys(LEADS), "leads is a dict"),
        ("I II III", "leads is a str"),
        (None, "leads is a NoneType"),
        ([b"I", b"II"], "leads holds b'I', which is no name"),
        ([1, 2], "leads holds 1"),
    ],
)
def test_names_without_an_order_are_refused(leads, words):
    with pytest.raises(CgdmerError, match=words):
        lead_names(leads)


def test_names_in_any_ordered_container_serve():
    for leads in (list(LEADS), np.array(LEADS), pd.Index(LEADS), pd.Series(LEADS), iter(LEADS)):
        assert lead_names(leads) == LEADS
    assert in_order(["a"], "texts") == ["a"]


def test_the_kinds_of_numbers_of_jax_and_what_lies_under_a_mask_serve():
    np.testing.assert_array_equal(plain_signal(jnp.asarray([[0.5, 2.0]], jnp.bfloat16)), [[0.5, 2.0]])
    hidden = np.ma.array([[np.inf, 2.0]], mask=[[True, False]])
    np.testing.assert_array_equal(plain_signal(hidden), [[np.nan, 2.0]])


def test_a_tensor_that_is_part_of_a_graph_serves():
    torch = pytest.importorskip("torch", reason="torch is an extra")
    tensor = torch.nn.Parameter(torch.tensor(heart()))
    for given in (tensor, list(tensor), tensor.to(torch.float64) * 1):
        np.testing.assert_array_equal(plain_signal(given), heart())
    half = plain_signal(torch.tensor([[0.5, 2.0]], dtype=torch.bfloat16))
    np.testing.assert_array_equal(half, [[0.5, 2.0]])


@pytest.mark.parametrize("rate", [500, 500.0, np.float32(500), np.int16(500), np.array(500), jnp.asarray(500.0)])
def test_a_rate_in_any_kind_of_number_is_that_number(rate):
    assert plain_rate(rate) == 500 and type(plain_rate(rate)) in (int, float)


@pytest.mark.parametrize(
    "rate", [0, -5.5, math.nan, math.inf, pytest.param(10**5000, id="5001 digits"), -(10**400), Fraction(10**400, 3)]
)
def test_a_rate_that_no_recorder_has_is_refused_however_large(rate):
    with pytest.raises(CgdmerError, match=r"^rate is \S+ Hz, expected (more than 0|at most 1e\+06); give"):
        plain_rate(rate)


def test_the_samples_of_a_single_named_lead_are_a_recording_of_it():
    one = prepare(CONTRACT, heart()[1], 100, ["II"], "mV")
    np.testing.assert_array_equal(one.signal, prepare(CONTRACT, heart()[1:2], 100, ["II"], "mV").signal)
    with pytest.raises(CgdmerError, match=r"a signal has shape \[\d+\], expected \[12 named leads, time\]"):
        prepare(CONTRACT, heart()[1], 100, LEADS, "mV")


@pytest.mark.parametrize(
    ("given", "axes"),
    [
        (np.zeros((2, 3)), 2),
        ([[1.0, 2.0]], 2),
        ([np.zeros(3), np.zeros(3)], 2),
        ([None, np.zeros((2, 3))], 3),
        (deque([np.zeros((2, 3))]), 3),
        (np.array([np.zeros((2, 3)), None, np.zeros((2, 4))], object), 3),
        ([1.0], 1),
        ([], 1),
        (iter([[1.0]]), 0),
        ("ab", 0),
        (None, 0),
    ],
)
def test_axes_are_those_that_numpy_would_read(given, axes):
    assert depth(given) == axes


@pytest.mark.parametrize("values", [pd.DataFrame({"report": ["a"]}), np.array([["a", "b"]]), np.array("a")])
def test_a_table_is_no_list_of_texts(values):
    with pytest.raises(CgdmerError, match=r"of several columns; give one of them|expected several in order"):
        in_order(values, "texts")


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT])
def test_a_missing_text_is_called_so(missing):
    with pytest.raises(CgdmerError, match=r"text 1 is missing \(.*\), expected text; leave it out"):
        plain_text(missing, "text 1")


def test_bytes_and_half_a_letter_are_no_text():
    for given, words in ((b"sinus", "of type bytes"), ("sinus \ud800", "half a letter")):
        with pytest.raises(CgdmerError, match=words):
            plain_text(given, "text 0")
    assert plain_text("Überleitung 𝄞", "text 0") == "Überleitung 𝄞"


def test_the_window_of_a_contract_is_not_changed_by_what_is_given():
    contract = dataclasses.replace(CONTRACT, seconds=5)
    assert prepare(contract, masked(heart()), 100, LEADS, "mV").signal.shape == (12, 500)
