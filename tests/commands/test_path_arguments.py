"""Arguments that are paths: the home folder, and outputs that are refused before the work, not after it."""

import argparse
import os
from pathlib import Path

import pytest

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.errors import CgdmerError


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()


def test_a_file_in_a_folder_that_is_not_there_is_accepted_and_the_folder_made_but_nothing_in_it(tmp_path):
    assert path_arguments.output_file("~/a/b/e.npz") == tmp_path / "home/a/b/e.npz"
    assert list((tmp_path / "home/a/b").iterdir()) == []
    assert path_arguments.output_file("e.npz") == Path("e.npz")


def test_a_file_that_is_there_is_kept_until_it_is_written(tmp_path):
    (tmp_path / "e.npz").write_text("old")
    path_arguments.output_file(str(tmp_path / "e.npz"))
    assert (tmp_path / "e.npz").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["e.npz", "home"]


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("output_file", "home", "home is a folder; name a file in it"),
        ("output_file", "home/", "is a folder"),
        ("output_file", "/dev/null", "is no plain file"),
        ("output_file", "file/e.npz", r"file/e\.npz cannot be written \(file is no folder\)"),
        ("output_file", "x" * 250, r"cannot be written \(File name too long\)"),
        ("output_file", "dangling", "is no plain file"),
        ("output_folder", "file/run", r"nothing can be written to file/run \(Not a directory\)"),
        ("output_folder", "file", "nothing can be written to file"),
        ("output_folder", "/proc/run", "nothing can be written to /proc/run"),
        ("new_folder", "home", "home exists already"),
        ("input_folder", "nowhere", "there is no folder nowhere"),
        ("input_folder", "file", "file is a file; give its folder"),
    ],
)
def test_what_cannot_be_written_or_read_is_refused_in_one_sentence(tmp_path, kind, text, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    parser = cli.parser("doc", "python -m experiments.x --out=e")
    parser.add_argument("--out", type=getattr(path_arguments, kind))
    with pytest.raises(CgdmerError, match=f"argument --out: .*{words}") as caught:
        parser.parse_args([f"--out={text}"])
    assert "\n" not in str(caught.value)
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        getattr(path_arguments, kind)(text)


def test_the_home_folder_in_names_by_comma_and_after_a_name(tmp_path):
    home = tmp_path / "home"
    assert path_arguments.names("~/a,b,~/c") == f"{home}/a,b,{home}/c"
    assert path_arguments.names("minilm=~/a") == f"minilm={home}/a" and path_arguments.names("~") == str(home)
    assert path_arguments.names("owner/name~1") == "owner/name~1" and path_arguments.names("a~/b") == "a~/b"
    assert path_arguments.path("~/a") == home / "a" and path_arguments.input_folder("~") == home


def test_an_output_that_is_an_input_is_refused_under_any_of_its_names(tmp_path):
    (tmp_path / "a.json").write_text("")
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    with pytest.raises(CgdmerError, match=r"the output link\.json is a file that is read"):
        path_arguments.check_apart(Path("link.json"), tmp_path / "a.json")
    path_arguments.check_apart(Path("new.json"), tmp_path / "a.json")
