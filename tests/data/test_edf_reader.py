"""EDF files: equal to pyedflib where it reads them; what cannot be trusted is refused by its own problem."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyedflib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.readers.checks import MOST_SAMPLES
from cgdmer_jax.data.readers.edf import read_edf
from cgdmer_jax.data.readers.recording import RecordError
from tests.data.written_recordings import NAME

UNITS = {"V": 1000.0, "mV": 1.0, "uV": 0.001}


def signal(label: str = "I", samples: int = 100, **changes: str) -> dict[str, str]:
    """Fields of a signal's header."""
    fields = {"label": label, "transducer": "", "unit": "uV", "low": "-3276.8", "high": "3276.7"}
    return fields | {"lowest": "-32768", "highest": "32767", "filter": "", "samples": str(samples), "": ""} | changes


def edf(signals: list[dict[str, str]], n_records: str = "3", seconds: str = "1", kind: str = "EDF+C") -> bytes:
    """A file of consecutive digital values; the header by hand, so that nothing in it has to be right."""
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    main = f"{'0':8}{'X F 12-AUG-1964 ' + NAME:80}{'Startdate 12-AUG-2020 X X X':80}12.08.2014.15.16"
    main += f"{256 * (len(signals) + 1):<8}{kind:44}{n_records:8}{seconds:8}{len(signals):<4}"
    columns = zip(*(one.values() for one in signals), strict=True)
    rows = "".join(f"{cell:{width}}" for width, column in zip(widths, columns, strict=True) for cell in column)
    n_values = sum(int(one["samples"]) for one in signals) * max(1, int(float(n_records)))
    return (main + rows).encode("latin-1") + (np.arange(n_values) % 6000 - 3000).astype("<i2").tobytes()


def write(folder: Path, content: bytes) -> Path:
    (folder / "r.edf").write_bytes(content)
    return folder / "r.edf"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_leads_of_any_range_and_unit_are_read_as_by_pyedflib(tmp_path, data):
    numbers = st.integers(-30000, 30000)
    signals = []
    for label in ("I", "ECG aVR", "Resp", "Lead V6"):
        lowest, highest = sorted(data.draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
        low, high = data.draw(st.lists(st.integers(-5000, 5000), min_size=2, max_size=2, unique=True))
        limits = {"low": f"{low / 10:g}", "high": f"{high / 10:g}", "lowest": str(lowest), "highest": str(highest)}
        unit = "a.u." if label == "Resp" else data.draw(st.sampled_from([*UNITS]))
        signals.append(signal(label, 25 if label == "Resp" else 100, unit=unit, **limits))
    path = write(tmp_path, edf(signals, seconds=data.draw(st.sampled_from(["1", "0.5", "2"])), kind=""))
    recording = read_edf(path)
    assert recording.names == ("I", "ECG aVR", "Lead V6") and recording.extra_leads == ("Resp",)
    with pyedflib.EdfReader(str(path)) as oracle:
        assert recording.rate == pytest.approx(oracle.getSampleFrequency(0))
        for row, place in enumerate((0, 1, 3)):
            expected_mv = oracle.readSignal(place) * UNITS[signals[place]["unit"]]
            np.testing.assert_allclose(recording.signal_mv[row], expected_mv, rtol=1e-5, atol=1e-6)


def test_annotations_are_passed_over_and_a_file_that_was_never_closed_is_read_to_its_end(tmp_path):
    signals = [signal("EDF Annotations", 40), signal("V1"), signal("EDF Annotations", 7)]
    whole = read_edf(write(tmp_path, edf(signals)))
    assert whole.names == ("V1",) and whole.extra_leads == () and whole.signal_mv.shape == (1, 300)
    np.testing.assert_allclose(whole.signal_mv[0, :2], (np.array([40, 41]) - 3000) * 1e-4, rtol=1e-4)
    content = edf(signals)
    open_end = read_edf(write(tmp_path, content[:236] + b"-1      " + content[244:]))
    np.testing.assert_array_equal(open_end.signal_mv, whole.signal_mv)


GOOD = edf([signal("I"), signal("V1")])
BAD = [
    ("header", b"\xffBIOSEMI" + GOOD[8:], "does not begin as EDF does"),
    ("header", GOOD[:200], "ends inside the header"),
    ("header", GOOD[:700], "ends inside the header"),
    ("header", GOOD[:252] + b"0   " + GOOD[256:], "announces 0 signals, so there is no recording"),
    ("header", GOOD[:252] + b"two " + GOOD[256:], "its number of signals is no number"),
    ("header", GOOD[:184] + b"800     " + GOOD[192:], "does not say 768 bytes"),
    ("header", GOOD[:236] + b"2.5     " + GOOD[244:], "its number of data records is no whole number"),
    ("header", edf([signal(samples=0)]), "its signal 1 has 0 samples"),
    ("multi_segment", edf([signal()], kind="EDF+D"), "has pauses (EDF+D), which are not read"),
    ("size", edf([signal() for _ in range(65)]), "at most 64"),
    ("size", GOOD[:236] + b"99999999" + GOOD[244:], "3,600,000"),
    ("rate", edf([signal("I", 100), signal("V1", 50)]), 'leads "I" and "V1" have 100 and 50 samples'),
    ("rate", edf([signal()], seconds="0"), 'its rate is "100 samples in 0 s"'),
    ("rate", edf([signal()], seconds="60"), 'its rate is "100 samples in 60 s"'),
    ("length", GOOD[:-1], "has 1,967 bytes, its header promises 1,968"),
    ("length", GOOD + b"0", "has 1,969 bytes"),
    ("length", edf([signal()], n_records="0"), "its header promises 512"),
    ("gain", edf([signal(low="5", high="5")]), "is uncalibrated"),
    ("gain", edf([signal(lowest="5", highest="4")]), "is uncalibrated"),
    ("header", edf([signal(low="1,5")]), "its physical minimum is no number"),
    ("unit", edf([signal(unit="mmHg")]), 'lead "I" is in "mmHg", expected V, mV, uV'),
    ("unit", edf([signal(unit="")]), 'lead "I" is in ""'),
    ("lead_names", edf([signal("I"), signal("ECG I")]), 'signals "I" and "ECG I" are both lead I'),
    ("unknown_leads", edf([signal("Fp1"), signal("")]), "no lead among Fp1, signal 2 (without name) is known"),
]


@pytest.mark.parametrize(("problem", "content", "words"), BAD, ids=[words for *_, words in BAD])
def test_a_file_that_cannot_be_trusted_is_refused_by_its_own_problem(tmp_path, problem, content, words):
    with pytest.raises(RecordError) as caught:
        read_edf(write(tmp_path, content))
    assert caught.value.problem == problem and words in str(caught.value)
    assert NAME not in str(caught.value) and "1964" not in str(caught.value)


def test_what_the_file_does_not_hold_is_refused_before_anything_is_allocated(tmp_path):
    path = write(tmp_path, GOOD[:236] + f"{MOST_SAMPLES // 100:<8}".encode() + GOOD[244:])
    tracemalloc.start()
    with pytest.raises(RecordError, match="its header promises"):
        read_edf(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1e6
