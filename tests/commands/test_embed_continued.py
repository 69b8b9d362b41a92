"""`embed` stopped at any moment: the same command continues, another one is refused, nothing half-done looks done."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.commands.embed import main
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.recipes import embed_recordings
from tests.bad_recordings import clean, swapped
from tests.data.ptbxl_root import write_record
from tests.interop.small_model import write_small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine records: one is suspicious, one is cut, one has three windows."""
    folder = tmp_path_factory.mktemp("own")
    for number in range(7):
        write_record(folder / f"records/r{number}", clean(number), 100)
    write_record(folder / "records/r1", swapped(clean(1)).astype("<i2"), 100)
    (folder / "records/r2.dat").write_bytes(b"")
    write_record(folder / "records/r7", np.concatenate([clean(number, seconds=10) for number in (5, 6, 7)]), 100)
    write_record(folder / "records/r8", clean(8), 100)
    write_small_model(folder / "model")
    return folder


@pytest.fixture
def parts_of_two(monkeypatch):
    monkeypatch.setattr(embed_recordings, "RECORDS_A_PART", 2)


def words(folder: Path, out: Path) -> list[str]:
    return [f"--model={folder / 'model'}", f"--records={folder / 'records'}", f"--out={out}", "--windows=all"]


def killed(folder: Path, out: Path, number: int) -> None:
    command = [sys.executable, "-m", "tests.commands.killed_embed", str(number), *words(folder, out)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def unfinished(out: Path) -> Path:
    return out.with_name(f"{out.name}.unfinished")


def test_a_killed_embedding_continues_to_the_same_bytes(folder, tmp_path, parts_of_two, capsys):
    undisturbed, out = tmp_path / "undisturbed.npz", tmp_path / "e.npz"
    assert main(words(folder, undisturbed)) == 0
    told = capsys.readouterr().out
    assert "r1: arm electrodes perhaps exchanged" in told and "r2: left out" in told
    assert not unfinished(undisturbed).exists()
    killed(folder, out, 6)
    assert not out.exists() and unfinished(out).is_dir()
    n_whole = len(list(unfinished(out).glob("part-*.npz")))
    assert n_whole >= 1  # and more only where the thread that reads was held up
    killed(folder, out, 1)  # whatever is done is not read again, so this is a later record
    seen = []
    read = embed_recordings.read_recording
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            embed_recordings, "read_recording", lambda at, **given: (seen.append(at.path.name), read(at, **given))[1]
        )
        assert main(words(folder, out)) == 0
    assert "r0" not in seen and "r8" in seen
    assert out.read_bytes() == undisturbed.read_bytes()
    assert not unfinished(out).exists()
    assert capsys.readouterr().out.replace(out.name, undisturbed.name) == told  # the remarks again, in order
    with np.load(out) as made:
        assert made["record"].tolist() == ["r0", "r1", "r3", "r4", "r5", "r6", *["r7"] * 3, "r8"]


def test_parts_change_nothing(folder, tmp_path, monkeypatch):
    assert main(words(folder, tmp_path / "whole.npz")) == 0
    monkeypatch.setattr(embed_recordings, "RECORDS_A_PART", 3)
    assert main(words(folder, tmp_path / "parts.npz")) == 0
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "parts.npz") as parts:
        assert whole["record"].tolist() == parts["record"].tolist()
        np.testing.assert_allclose(whole["embedding"], parts["embedding"], atol=1e-6)


def test_what_was_begun_otherwise_is_refused_and_a_damaged_part_made_again(folder, tmp_path, parts_of_two, capsys):
    out = tmp_path / "e.npz"
    killed(folder, out, 9)
    begun = words(folder, out)
    with pytest.raises(CgdmerError, match=r"e\.npz\.unfinished was begun with another feature; give what it was"):
        main([*begun, "--feature=shared"])
    with pytest.raises(CgdmerError, match="begun with another choice of windows"):
        main([*begun[:-1]])
    touched = folder / "records/r8.hea"
    before = touched.stat()
    os.utime(touched, (1, 1))
    with pytest.raises(CgdmerError, match="begun with another list of records"):
        main(begun)
    os.utime(touched, ns=(before.st_atime_ns, before.st_mtime_ns))
    first = unfinished(out) / "part-000000.npz"
    first.write_bytes(first.read_bytes()[:-100])
    capsys.readouterr()
    assert main(begun) == 0
    assert "part-000000.npz is" in capsys.readouterr().out
    assert main(words(folder, tmp_path / "undisturbed.npz")) == 0
    assert out.read_bytes() == (tmp_path / "undisturbed.npz").read_bytes()
