"""Every format: one tracing gives the same millivolts, nobody's name gets through, damage is refused by name."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.readers.formats import FORMATS, Location, read_recording
from cgdmer_jax.data.readers.recording import RECORD_PROBLEMS, RecordError
from cgdmer_jax.waveform.lead_names import LEADS, canonical_lead
from tests.data.written_recordings import BORN, COMMENT, NAME, RATE, WRITERS, tracing_uv


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_tracing_is_the_same_millivolts_in_every_format(tmp_path, name):
    expected = tracing_uv()
    location, hints = WRITERS[name](tmp_path, expected)
    recording = read_recording(location, tmp_path, hints)
    assert [canonical_lead(lead) for lead in recording.names] == [*LEADS]
    assert recording.rate == (500 if name in ("CPSC2018", "SPH") else RATE)
    assert recording.signal_mv.dtype == np.float32 and recording.signal_mv.shape == expected.shape
    # Half of a step: 1 uV, in EDF+C of 32.767 mV too.
    np.testing.assert_allclose(recording.signal_mv * 1000, expected, rtol=0, atol=0.5)
    assert str(recording.path).startswith(str(location.path))


@pytest.mark.parametrize("name", WRITERS)
def test_a_name_a_birth_date_and_a_comment_stay_where_they_are(tmp_path, name):
    location, hints = WRITERS[name](tmp_path, tracing_uv())
    shown = repr(read_recording(location, tmp_path, hints))
    assert not [word for word in (NAME, BORN, COMMENT, "Muster", "AUG 1964", "1964", "Female") if word in shown]


@pytest.fixture(params=[name for name in WRITERS if name != "WFDB"])
def written(tmp_path, request):
    location, hints = WRITERS[request.param](tmp_path, tracing_uv(seconds=1))
    return location, hints, location.path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_or_cut_file_is_read_or_refused_without_a_word_of_its_patient(written, data):
    location, hints, whole = written
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        # Damage in the first bytes, where headers are, as often as anywhere.
        last = data.draw(st.sampled_from([20, 300, 5000, len(content)]))
        place = data.draw(st.integers(0, min(last, len(content)) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        content = content or bytearray(b" ")
    del content[data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content)))) :]
    location.path.write_bytes(content)
    try:
        recording = read_recording(location, None, hints)
    except RecordError as error:
        assert error.problem in RECORD_PROBLEMS and "\n" not in str(error)
        assert not [word for word in ("Erika", "Muster", "1964", "chest", "Female") if word in str(error)]
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    else:
        assert not np.isinf(recording.signal_mv).any() and len(recording.names) == len(recording.signal_mv)


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_not_there_lies_elsewhere_or_is_no_file_is_refused(tmp_path, name):
    (tmp_path / "root").mkdir()
    location, hints = WRITERS[name](tmp_path / "root", tracing_uv(seconds=1))
    with pytest.raises(RecordError) as caught:
        read_recording(location, tmp_path / "another", hints)
    assert caught.value.problem == "outside"
    missing = Location(location.path.with_name(f"missing{location.path.suffix}"), location.member)
    with pytest.raises(RecordError, match="does not exist") as caught:
        read_recording(missing, tmp_path, hints)
    assert caught.value.problem == ("no_header" if name == "WFDB" else "no_signal_file") or name == "named"
    os.mkfifo(missing.path.with_name(f"pipe{location.path.suffix or '.hea'}"))  # opening it would wait for ever
    with pytest.raises(RecordError, match="is not a file"):
        read_recording(Location(missing.path.with_name(f"pipe{location.path.suffix}"), location.member), None, hints)


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "WFDB"])
def test_a_pointer_in_place_of_the_file_is_told(tmp_path, name):
    location, hints = WRITERS[name](tmp_path, tracing_uv(seconds=1))
    location.path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 200000\n")
    with pytest.raises(RecordError, match="is a Git LFS pointer"):
        read_recording(location, None, hints)


def test_a_name_without_its_ending_is_that_of_the_only_file_that_has_one(tmp_path):
    WRITERS["EDF"](tmp_path, tracing_uv(seconds=1))
    assert read_recording(Location(tmp_path / "r")).path == str(tmp_path / "r.edf")
    WRITERS["CSV"](tmp_path, tracing_uv(seconds=1))
    with pytest.raises(RecordError, match=r"r\.hea does not exist"):
        read_recording(Location(tmp_path / "r"))
    WRITERS["WFDB"](tmp_path, tracing_uv(seconds=1))
    for name in ("r", "r.hea", "r.dat"):
        assert read_recording(Location(tmp_path / name)).path == str(tmp_path / "r")


def test_a_member_of_a_file_of_one_recording_is_refused(tmp_path):
    location, _ = WRITERS["EDF"](tmp_path, tracing_uv(seconds=1))
    for path in (location.path, WRITERS["WFDB"](tmp_path, tracing_uv(seconds=1))[0].path):
        with pytest.raises(RecordError, match=f"record {path}#1: its file holds one recording alone"):
            read_recording(Location(path, "1"))


def test_the_content_goes_before_the_ending(tmp_path):
    location, _ = WRITERS["EDF"](tmp_path, tracing_uv(seconds=1))
    location.path.rename(tmp_path / "r.csv")
    assert len(read_recording(Location(tmp_path / "r.csv")).names) == 12
    (tmp_path / "r.bin").write_bytes(bytes(range(256)))
    with pytest.raises(RecordError, match=f"of no format that is read .{', '.join(FORMATS)}.; convert it"):
        read_recording(Location(tmp_path / "r.bin"))
