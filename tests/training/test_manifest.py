"""A manifest whose own hash is right, but whose fields are not: each is named, and the checkpoint is not used."""

import json
import math

import pytest

from cgdmer_jax.training.manifest import MANIFEST, DamagedCheckpoint, own_sha256, read_manifest, verify, write_manifest

ARRAYS = {"00000.step": [[], "int32"], "00001.variables.params['w']": [[3, 2], "float32"]}
WEIGHTS = "00001.variables.params['w']"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "weights").write_bytes(b"weights")
    return tmp_path


def written(folder, loss=0.5, changes=None):
    """A manifest with these changes and the hash of what is in it."""
    write_manifest(folder, 7, loss, ARRAYS)
    path = folder / MANIFEST
    fields = json.loads(path.read_text()) | (changes or {})
    fields["files"] = fields["files"] | {MANIFEST: own_sha256(fields)}
    path.write_text(json.dumps(fields))
    return folder


@pytest.mark.parametrize("loss", [0.5, None, math.nan, math.inf])
def test_a_manifest_comes_back_as_written(folder, loss):
    found = read_manifest(written(folder, loss=loss))
    assert (found["step"], found["arrays"]) == (7, ARRAYS)
    assert found["validation_loss"] == loss or (math.isnan(loss) and math.isnan(found["validation_loss"]))
    verify(folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"step": "7"}, "step is '7', expected a whole number from 0 to 2,147,483,647"),
        ({"step": -1}, "step is -1, expected a whole number"),
        ({"step": True}, "step is True, expected a whole number"),
        ({"validation_loss": "low"}, "validation_loss is 'low', expected a number or null"),
        ({"validation_loss": 10**400}, "validation_loss is 1000"),
        ({"arrays": []}, "arrays is [], expected named values (an object)"),
        ({"arrays": {WEIGHTS: [[3, -2], "float32"]}}, f"does not tell the shape and dtype of {WEIGHTS}"),
        ({"arrays": {WEIGHTS: [3, "float32"]}}, f"does not tell the shape and dtype of {WEIGHTS}"),
        ({"arrays": {WEIGHTS: None}}, f"does not tell the shape and dtype of {WEIGHTS}"),
        ({"files": {"../weights": ""}}, "names the file ../weights, which is not in its folder"),
        ({"more": 1}, "has no field more"),
    ],
)
def test_a_field_of_another_kind_is_named(folder, changes, told):
    with pytest.raises(DamagedCheckpoint) as caught:
        read_manifest(written(folder, changes=changes))
    assert str(caught.value).startswith(str(folder / MANIFEST)) and told in str(caught.value)
    assert "this checkpoint is not used" in str(caught.value)
