"""The command `convert`: its printed counts, its figures, and one sentence on a mistake."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.commands.convert import main
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.data.store.convert import Summary
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.recipes.conversion import describe
from tests.data.ptbxl_root import line, write_root

ROOT = Path(__file__).parents[2]


def test_the_command_prints_counts_reasons_and_remarks(tmp_path, capsys):
    root = write_root(tmp_path / "root", [line(1), line(2), line(3)])
    (root / line(2)["filename_lr"]).with_suffix(".hea").unlink()
    table = (root / "ptbxl_database.csv").read_text().splitlines(keepends=True)
    (root / "ptbxl_database.csv").write_text("".join(table[:-1]))  # without record 3
    arguments = ["--source=ptbxl", f"--root={root}", f"--out={tmp_path / 'store'}", "--seconds=2"]
    assert main([*arguments, "--processes=1"]) == 0
    printed = capsys.readouterr().out
    assert "1 record in 2 rows, 1 rejected" in printed and "no_header: 1 (see rejected.csv)" in printed
    assert "1 recordings in records100 are not in ptbxl_database.csv" in printed
    assert "2 records converted in" in printed and "records/s" in printed
    assert main([*arguments, "--processes=1"]) == 0
    assert "it is complete and its bytes agree with its seal; nothing was converted" in capsys.readouterr().out


def test_a_lead_of_changed_sign_is_explained_and_read_under_its_own_name_with_a_negative_gain(tmp_path, capsys):
    root = write_root(tmp_path / "root", [line(1), line(3)])
    header = (root / line(1)["filename_lr"]).with_suffix(".hea")
    header.write_text(header.read_text().replace(" AVR", " -aVR"))
    arguments = ["--source=ptbxl", f"--root={root}", "--seconds=2", "--processes=1"]
    assert main([*arguments, f"--out={tmp_path / 'a'}"]) == 0
    told = 'signal "-aVR" is none of the twelve leads and is not kept: it is aVR with its sign changed; call it aVR in '
    assert f"1 record: {told}the header and give it a negative gain\n" in capsys.readouterr().out
    fields = next(text for text in header.read_text().split("\n") if text.endswith(" -aVR"))
    negated = fields.replace(" 1000.0(0)/mV", " -1000.0(0)/mV").replace(" -aVR", " aVR")
    header.write_text(header.read_text().replace(fields, negated))
    assert main([*arguments, f"--out={tmp_path / 'b'}"]) == 0
    before, after = (open_store(tmp_path / name).read(np.array([0]))[0] for name in ("a", "b"))
    own = read_wfdb(header.with_suffix("")).signal_mv
    np.testing.assert_array_equal(before[[*range(3), *range(4, 12)]], after[[*range(3), *range(4, 12)]])
    np.testing.assert_allclose(after[3] / 1000, own[3], atol=1e-3)
    assert not before[3].any()


def test_a_folder_of_the_collection_that_is_none_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for name, words in (("file", "file is a file; give its folder"), ("none", "there is no folder .*none; give")):
        with pytest.raises(CgdmerError, match=words):
            main(["--source=ptbxl", f"--root={tmp_path / name}", f"--out={tmp_path / 'store'}"])


def test_the_command_on_a_finished_store_names_the_file_whose_bytes_differ(tmp_path, capsys):
    arguments = ["--source=synthetic", "--records=6", "--processes=1", f"--out={tmp_path / 'store'}"]
    assert main(arguments) == 0
    shard = tmp_path / "store" / "signal/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1  # not in the first record, which opening compares
    shard.write_bytes(content)
    capsys.readouterr()
    with pytest.raises(CgdmerError, match=r"signal/c/0/0/0 of store synthetic differs from the seal's sha256"):
        main(arguments)
    assert "complete" not in capsys.readouterr().out


def test_the_command_writes_what_it_measured_where_figures_says(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2), line(3)])
    (root / line(2)["filename_lr"]).with_suffix(".hea").unlink()
    words = ["-m", "experiments.convert", "--source=ptbxl", f"--root={root}", f"--out={tmp_path / 'store'}",
             "--seconds=2", "--processes=1", f"--figures={tmp_path / 'new' / 'convert.json'}"]  # fmt: skip
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    document = json.loads((tmp_path / "new" / "convert.json").read_text())
    told = ["--root=.../root", "--out=.../store", "--seconds=2", "--processes=1", "--figures=.../convert.json"]
    assert document["command"] == shlex.join(["python", *words[:3], *told])
    assert document["environment"]["cpus"] >= 1
    (row,) = document["rows"]
    assert (row["store"], row["rows"], row["records"], row["converted"]) == ("store", 3, 2, 3)
    assert row["rejected"] == {"no_header": 1} and row["seconds"] > 0
    assert row["records_per_second"] == pytest.approx(3 / row["seconds"], rel=0.2)


def test_a_users_mistake_is_one_sentence(tmp_path):
    out = f"--out={tmp_path / 'store'}"
    with pytest.raises(CgdmerError, match=r'^unknown source "ptbxxl"\. Did you mean "ptbxl"\?$'):
        main(["--source=ptbxxl", "--root=x", out])
    with pytest.raises(CgdmerError, match=r"^source ptbxl is read from a folder; name it with --root$"):
        main(["--source=ptbxl", out])


def test_the_command_converts_the_synthetic_collection(tmp_path):
    arguments = ["--source=synthetic", "--records=6", "--seed=3", "--rate=100", "--processes=1"]
    assert main([*arguments, f"--out={tmp_path / 'store'}"]) == 0
    info = json.loads((tmp_path / "store" / "dataset.json").read_text())
    assert (info["name"], info["n_rows"], info["n_samples"]) == ("synthetic", 6, 1000)


def test_the_name_of_a_signal_does_not_steer_the_terminal():
    summary = Summary(1, 1, {}, {}, {"\x1b[2JResp": 1}, [], 0, 1.0)
    assert r'signal "\x1b[2JResp" is none of the twelve leads' in describe(summary, Path("store"))
