"""A user's own folder of WFDB records to embeddings, by the command."""

import numpy as np
import pytest

from cgdmer_jax import load
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform import LEADS
from experiments.embed import main
from tests.bad_recordings import clean, swapped
from tests.data.ptbxl_root import write_record
from tests.interop.small_model import write_small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three usable records, one of them suspicious, of two rates; and one that is cut."""
    folder = tmp_path_factory.mktemp("own")
    write_record(folder / "records/a", clean(1), 100)
    write_record(folder / "records/deep/b", swapped(clean(2)).astype("<i2"), 100)
    write_record(folder / "records/c", np.repeat(clean(3), 5, axis=0), 500)
    write_record(folder / "records/d", clean(4), 100)
    (folder / "records/d.dat").write_bytes(b"")
    write_small_model(folder / "model")
    return folder


def test_every_usable_record_is_embedded_and_the_others_are_named(folder, tmp_path, capsys):
    words = [f"--model={folder / 'model'}", f"--records={folder / 'records'}", f"--out={tmp_path / 'e.npz'}"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "c: gaps or clipped samples in I, II, III" in printed  # every sample stands there five times
    assert "d: left out: record" in printed and "has 0 bytes, its header promises 4,800" in printed
    assert "deep/b: arm electrodes perhaps exchanged" in printed and "3 records, 32 wide; 1 left out" in printed
    with np.load(tmp_path / "e.npz") as made:
        assert made["record"].tolist() == ["a", "c", "deep/b"]
        expected = load(folder / "model").embed(clean(1).T / 1000, 100, LEADS, "mV")
        np.testing.assert_allclose(made["embedding"][0], expected, atol=1e-5)


def test_a_folder_without_records_is_refused(folder, tmp_path):
    words = [f"--model={folder / 'model'}", f"--records={tmp_path}", f"--out={tmp_path / 'e.npz'}"]
    with pytest.raises(CgdmerError, match="holds no WFDB record"):
        main(words)
    (tmp_path / "x.hea").write_text("nothing")
    with pytest.raises(CgdmerError, match="none of the 1 records"):
        main(words)
    assert not (tmp_path / "e.npz").exists()
