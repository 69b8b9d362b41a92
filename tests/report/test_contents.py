"""report.json: what is written is read again to the bit, and whatever else is in it is told in one sentence."""

import dataclasses
import json

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.report.contents import CONTENTS, Contents, read_contents, write_contents
from cgdmer_jax.report.make import make_report
from cgdmer_jax.sealed_json import read_sealed, sealed
from tests.report.example import example_contents, example_rows, write_example
from tests.report.test_page import Page


@pytest.fixture
def contents(tmp_path) -> Contents:
    (tmp_path / "results.json").write_text("{}")
    found = example_contents(tmp_path / "results.json")
    write_contents(tmp_path, found)
    return found


def fields(value: object) -> object:
    """Dataclasses as dicts, arrays as their dtype, shape and bytes: things that `==` compares."""
    if dataclasses.is_dataclass(value):
        return {field.name: fields(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return tuple(map(fields, value))
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def test_what_is_written_is_read_again_to_the_bit(contents, tmp_path):
    assert fields(read_contents(tmp_path)) == fields(contents)
    nothing = dataclasses.replace(contents, case=None, reconstructions=())
    write_contents(tmp_path, nothing)
    assert read_contents(tmp_path) == nothing


def test_an_overlay_that_left_the_numbers_comes_back_as_it_was(contents, tmp_path):
    """A model that diverged: its page says so by what it does not draw."""
    (one,) = contents.reconstructions
    made_mv = one.made_mv.copy()
    made_mv[0, :3] = np.nan, np.inf, -np.inf
    diverged = dataclasses.replace(one, made_mv=made_mv)
    write_contents(tmp_path, dataclasses.replace(contents, reconstructions=(diverged,)))
    np.testing.assert_array_equal(read_contents(tmp_path).reconstructions[0].made_mv, made_mv)


LATER = {"contents": ["class_names"], "case": ["record_id", "heart_rate", "waves"], "neighbour": ["excerpt", "report"]}


def test_a_file_of_version_0_1_that_lacks_what_came_later_is_read_and_drawn(tmp_path):
    """Fields that were added have a default; the page of such a file is whole, without them."""
    folder = write_example(tmp_path / "run", example_rows())
    document = read_sealed(folder / CONTENTS, remedy="")
    case = document["case"]
    every = [
        (document, LATER["contents"]),
        (case, LATER["case"]),
        *((one, LATER["neighbour"]) for near in (case["reports"], case["recordings"]) for one in near["found"]),
    ]
    for holder, names in every:
        for name in names:
            del holder[name]
    (folder / CONTENTS).write_text(json.dumps(sealed(document)))
    contents = read_contents(folder)
    assert contents.class_names == {} and contents.case.heart_rate is None and contents.case.record_id is None
    assert contents.case.waves is None
    page = make_report(folder).read_text(encoding="utf-8")
    assert Page(page).open == [] and "Nearest recordings" in page and "beats a minute" not in page
    assert "for comparison" not in page and ">NORM</text>" in page


def test_a_neighbour_with_more_leads_than_names_is_one_sentence(contents, tmp_path):
    file = tmp_path / CONTENTS
    path = ("case", "recordings", "found", 0, "excerpt", "leads")
    file.write_text(json.dumps(sealed(changed(read_sealed(file, remedy=""), path, ["II"]))))
    with pytest.raises(CgdmerError, match="another number of leads than of names"):
        read_contents(tmp_path)


def test_a_missing_file_is_an_older_evaluation(tmp_path):
    with pytest.raises(CgdmerError, match=r"has no report\.json: its evaluation is of an older version; run .*again"):
        read_contents(tmp_path)


def test_another_digit_is_seen_by_the_hash_and_so_is_a_hash_that_was_taken_out(contents, tmp_path):
    file = tmp_path / CONTENTS
    text = file.read_text()
    file.write_text(text.replace("63 years", "36 years"))
    with pytest.raises(CgdmerError, match=r"differs from what was written \(sha256\); run experiments\.evaluate again"):
        read_contents(tmp_path)
    file.write_text(json.dumps({name: value for name, value in json.loads(text).items() if name != "sha256"}))
    with pytest.raises(CgdmerError, match="sha256"):
        read_contents(tmp_path)


def changed(document: object, path: tuple, value: object) -> object:
    """The same JSON with another value at that place; None takes the field away."""
    name, *rest = path
    copy = document.copy()
    if rest:
        copy[name] = changed(document[name], tuple(rest), value)
    elif value is None:
        del copy[name]
    else:
        copy[name] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("title",), None, "contents lacks title"),
        (("secret",), "quokka", "contents has fields that are not known"),
        (("title",), 7, r"contents\.title is of type int, expected str"),
        (("facts", "Store"), ["quokka"], r"contents\.facts\.Store is of type list, expected str"),
        (("case", "findings", 1, "prevalence"), "quokka", r"findings\[1\]\.prevalence is of type str, expected float"),
        (("case", "findings", 1, "prevalence"), float("nan"), "is not a finite number"),
        (("case", "findings", 1, "labelled"), 1, "labelled is of type int, expected bool"),
        (("case", "reports", "found"), {"quokka": 1}, "found is of type dict, expected list"),
        (("case", "tracing", "signal_uv", "shape"), [12, 999], "bytes, which is not what its shape asks for"),
        (("case", "tracing", "signal_uv", "shape"), [-12, -1000], "no array here has"),
        (("case", "tracing", "signal_uv", "shape"), [1000, 12], "of shape .1000, 12., expected Int16"),
        (("case", "tracing", "signal_uv", "dtype"), "|O", "no array here has"),
        (("case", "tracing", "signal_uv", "base64"), "quokka!", "is not base64"),
        (("case", "tracing", "signal_uv", "base64"), "quokké", "is not base64"),
        (("case", "tracing", "lead_mask", "base64"), "AgEBAQEBAQEBAQEB", "neither true nor false"),
        (("case", "waves", "II", 0, "kind"), "quokka", "a wave is of a kind that is not known"),
        (("reconstructions", 0, "made_mv"), {"dtype": "<f4", "shape": [12, 0], "base64": ""}, "another length than"),
    ],
)
def test_what_no_evaluation_writes_is_one_sentence_that_shows_no_value(contents, tmp_path, path, value, words):
    file = tmp_path / CONTENTS
    file.write_text(json.dumps(sealed(changed(read_sealed(file, remedy=""), path, value))))
    with pytest.raises(CgdmerError, match=words) as caught:
        read_contents(tmp_path)
    told = str(caught.value)
    assert told.startswith(f"{file} does not hold what this version writes (") and "evaluate again" in told
    assert "\n" not in told and "quokk" not in told
