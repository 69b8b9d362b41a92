"""JSON files that are damaged, hostile or too large end in one sentence; others give their value."""

import json
import os

import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import own_sha256, read_json

NAMES = ",".join(f'"{number}":0' for number in range(100_000))  # each compared with each would take minutes


@pytest.fixture
def file(tmp_path):
    return tmp_path / "settings.json"


def test_a_sound_file_gives_its_value(file):
    value = {"a": [1, 2.5, None, True], "b": {"[{": 'quote " and \\ and é'}, "c": "\U0001f600"}
    for ascii_only in (True, False):
        file.write_text(json.dumps(value, indent=1, ensure_ascii=ascii_only), encoding="utf-8")
        assert read_json(file, remedy="convert again") == value


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        pytest.param(f'{{{NAMES},"99999":1}}'.encode(), "'99999' stands twice", id="many names"),
        (rb'{"a": "\ud800"}', "not UTF-8"),
        (b"1" * 5000, "not valid JSON"),
        (b"[" * 200_000, "nested more than 64 deep"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested more than 64 deep"),
        (b'"' + rb"\"" * 100_000, "not valid JSON"),
        (b" " * 2000, "more than the 1000 bytes"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(file, content, problem):
    file.write_bytes(content)
    most = 1000 if problem.startswith("more") else 1 << 22
    with pytest.raises(CgdmerError) as caught:
        read_json(file, remedy="convert again", most_bytes=most)
    message = str(caught.value)
    assert message.startswith(str(file)) and problem in message and message.endswith("; convert again")
    assert "\n" not in message and len(message) < 400


def test_brackets_within_strings_are_not_nesting(file):
    file.write_text(json.dumps(["[" * 500, '\\"' + "{" * 500]))
    assert read_json(file, remedy="") == ["[" * 500, '\\"' + "{" * 500]


def test_what_is_no_file_is_named(file):
    with pytest.raises(CgdmerError, match="is missing; copy it"):
        read_json(file, remedy="copy it")
    os.mkfifo(file)
    with pytest.raises(CgdmerError, match="is not a file; copy it"):
        read_json(file, remedy="copy it")


def test_own_hash_stays_with_another_layout_and_changes_with_any_value(file):
    fields = {"b": [1, 2.0], "a": "é"}
    sealed = {"sha256": own_sha256(fields, "sha256")} | fields
    file.write_text(json.dumps(sealed, indent=3, ensure_ascii=False), encoding="utf-8")
    assert own_sha256(read_json(file, remedy=""), "sha256") == sealed["sha256"]
    for changed in ({"b": [1, 2]}, {"b": [1, 2.0000001]}, {"a": "e"}, {"c": None}):
        assert own_sha256(sealed | changed, "sha256") != sealed["sha256"]
