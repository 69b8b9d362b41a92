"""A conversion that continues takes nothing on trust: what a kill left and something damaged is converted again."""

import json
import os
import shutil

import pytest

from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.shard_notes import notes_path
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.sealed_json import sealed, unsealed
from tests.data.small_stores import N_SAMPLES, small_source
from tests.flipped_stores import REPORTS, continued_bytes, make_unfinished


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "store"
    make_unfinished(folder)
    return continued_bytes(folder)


@pytest.fixture
def unfinished(tmp_path):
    """Two of four shards are done."""
    make_unfinished(tmp_path / "store")
    assert [notes_path(tmp_path / "store", shard).exists() for shard in range(4)] == [True, True, False, False]
    return tmp_path / "store"


def other_value(out):
    notes = json.loads(notes_path(out, 0).read_bytes())
    notes["records"][1]["valid_length"] = 7
    notes_path(out, 0).write_text(json.dumps(notes))


def other_checksum(out):
    notes = json.loads(notes_path(out, 0).read_bytes())
    notes["seal"]["sha256"] = "0" * 64
    notes_path(out, 0).write_text(json.dumps(notes))


def without_hash(out):
    """As format 3 wrote them."""
    for file in (notes_path(out, 0), notes_path(out, 1), out / ".partial/settings.json"):
        fields = json.loads(file.read_bytes())
        del fields["sha256"]
        if file.name == "settings.json":
            fields["format_version"] = 3
        file.write_text(json.dumps(fields))


def noted_otherwise(change):
    """Notes of the first shard with other records in them, and the hash that belongs to these."""

    def damage(out):
        notes = unsealed(json.loads(notes_path(out, 0).read_bytes()), "notes", remedy="")
        change(notes["records"])
        notes_path(out, 0).write_text(json.dumps(sealed(notes)))

    return damage


def flipped_sample(out):
    shard = out / "signal/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        other_value,
        other_checksum,
        without_hash,
        flipped_sample,
        *(
            noted_otherwise(lambda records, name=name, value=value: records[1].update({name: value}))
            for name, value in (
                ("lead_flagged", [2147483648] * 12),
                ("lead_mask", [True] * 13),
                ("nan_share", ["x"] * 12),
                ("amplitude_mv", [100_000_000] * 12),
                ("einthoven_mv", float("nan")),
                ("valid_length", -1),
                ("signal_sha256", None),
                ("extra_leads", "ABP"),
                ("surplus", 1),
                ("problem", 3),
            )
        ),
        noted_otherwise(lambda records: records[1].pop("longer")),
        noted_otherwise(lambda records: records.pop()),
        noted_otherwise(lambda records: records.__setitem__(1, None)),
        lambda out: notes_path(out, 1).write_text("[" * 200_000),
        lambda out: notes_path(out, 1).write_bytes(b"\xff"),
        lambda out: notes_path(out, 1).write_text("[]"),
        lambda out: notes_path(out, 1).write_text(""),
        lambda out: shutil.copy(notes_path(out, 0), notes_path(out, 1)),
        lambda out: (notes_path(out, 1).unlink(), notes_path(out, 1).mkdir()),
        lambda out: (out / "signal/c/1/0/0").unlink(),
        lambda out: (out / "signal/zarr.json").write_text("[" * 200_000),
        lambda out: (out / "signal/zarr.json").write_text("{}"),
        lambda out: None,
    ],
)
def test_a_damaged_part_is_converted_again_to_the_same_bytes(unfinished, expected, damage):
    damage(unfinished)
    assert continued_bytes(unfinished) == expected


def test_whole_shards_are_not_converted_again(unfinished):
    os.truncate(notes_path(unfinished, 1), 100)
    settings = {"rate": 100, "seconds": N_SAMPLES / 100, "progress": False, "rows_per_shard": 4}
    summary = convert(small_source(REPORTS, rejected=(6,)), unfinished, **settings)
    assert summary.n_converted == 14 - 4


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b"[" * 200_000, b'{"format_version": 3, "format_version": 3}']
)
def test_damaged_settings_are_named_since_nobody_knows_what_was_begun(unfinished, content):
    (unfinished / ".partial/settings.json").write_bytes(content)
    with pytest.raises(CgdmerError, match=r"settings\.json is .*; delete .* and run the same command again"):
        continued_bytes(unfinished)


def test_a_setting_of_any_length_is_told_in_a_few_words(unfinished):
    settings = unsealed(json.loads((unfinished / ".partial/settings.json").read_bytes()), "settings", remedy="")
    (unfinished / ".partial/settings.json").write_text(json.dumps(sealed(settings | {"name": [0] * 2000})))
    with pytest.raises(CgdmerError, match=r"begun with --name=\[0, 0, .*, this command has synthetic") as caught:
        continued_bytes(unfinished)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("settings.json", lambda path: path.mkdir(), r"settings\.json is not a file; delete"),
        ("settings.json", os.mkfifo, r"settings\.json is not a file; delete"),
        ("lock", lambda path: path.mkdir(), r"cannot be written to .* \(Is a directory\)"),
        ("lock", os.mkfifo, r"cannot be written to .* \(No such device or address\)"),
    ],
)
def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_named(unfinished, name, make, words):
    path = unfinished / ".partial" / name
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(CgdmerError, match=words):
        continued_bytes(unfinished)


def test_other_settings_are_refused_by_the_values_that_differ(unfinished):
    with pytest.raises(CgdmerError, match=r"begun with --seconds=1.2, this command has 10.0"):
        convert(small_source(REPORTS, rejected=(6,)), unfinished, rate=100, progress=False, rows_per_shard=4)
