"""A file under its name is the old one or the new one, never a part; what fails leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.torch_file import torch_tensors
from cgdmer_jax.json_file import read_json
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.npz_file import read_arrays
from cgdmer_jax.whole_file import UNFINISHED, open_plain, whole_file, write_whole
from tests.full_disk import files_of_at_most


def test_the_content_is_there_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a", "Größe\n")
    write_whole(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == "Größe\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_file_is_opened_and_what_would_wait_for_a_writer_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00\xff")
    os.mkfifo(tmp_path / "pipe")
    with open_plain(tmp_path / "a") as file:
        assert file.read() == b"\x00\xff"
    for name, words in (("pipe", "it is no plain file"), (".", "Is a directory"), ("none", "No such file")):
        with pytest.raises(OSError, match=words):
            open_plain(tmp_path / name)
    with pytest.raises(OSError, match="it is no plain file"):
        open_plain(Path("/dev/zero"))


@pytest.mark.parametrize(
    "read",
    [
        lambda pipe: read_metrics(pipe),
        lambda pipe: read_arrays(pipe, remedy="evaluate again"),
        lambda pipe: read_json(pipe, remedy="copy it again"),
        lambda pipe: read_table(pipe, (), "restore it"),
        lambda pipe: torch_tensors(pipe, without_torch="", no_state_dict=""),
    ],
)
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_a_pipe_in_the_place_of_a_file_is_refused_in_a_sentence_whatever_reads_it(tmp_path, read):
    pytest.importorskip("torch", reason="one of the readers is that of torch files")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CgdmerError, match=r"pipe (cannot be read \(it is no plain file\)|is not a file); "):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("end", [KeyError, KeyboardInterrupt])
def test_an_error_under_way_leaves_the_former_file_alone(tmp_path, end):
    write_whole(tmp_path / "a", "former")
    with pytest.raises(end), whole_file(tmp_path / "a") as file:
        file.write(b"half")
        raise end
    assert (tmp_path / "a").read_text() == "former"
    assert os.listdir(tmp_path) == ["a"]


def test_a_disk_that_fills_up_in_the_middle_leaves_the_former_file_alone(tmp_path):
    write_whole(tmp_path / "a", "former")
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large") as caught:
        write_whole(tmp_path / "a", "new" * 1000)
    assert caught.value.filename == str(tmp_path / "a"), "the command says which file"
    assert (tmp_path / "a").read_text() == "former"
    assert os.listdir(tmp_path) == ["a"]


def test_a_kill_under_way_leaves_the_former_file_and_a_part_that_says_so(tmp_path):
    write_whole(tmp_path / "a", "former")
    code = (
        "import os, signal, sys; from pathlib import Path; from cgdmer_jax.whole_file import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False)
    assert killed.returncode == -signal.SIGKILL
    former, part = sorted(tmp_path.iterdir())
    assert former.read_text() == "former"
    assert part.name.endswith(UNFINISHED) and part.read_text() == "half"
