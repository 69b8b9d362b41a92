"""Arrays in memory become the store that the same recordings in files become."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.store.store import Store, open_store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS
from tests.bad_recordings import clean
from tests.data.own_folder import write_own
from tests.data.test_own_table import convert

SIGNALS = np.stack([clean(i).T for i in range(4)])  # microvolts
ABOUT = {"rate": 100, "leads": LEADS, "unit": "uV", "seconds": 2.0}


@pytest.mark.parametrize("form", [np.asarray, jnp.asarray, list, lambda x: [one.tolist() for one in x]])
def test_the_samples_are_those_of_files_whatever_holds_them(tmp_path, form):
    root, table = write_own(tmp_path / "own", 4)
    convert(root, table, "record=file", f"--out={tmp_path / 'files'}")
    store = Store.from_arrays(tmp_path / "arrays", form(SIGNALS), **ABOUT)
    np.testing.assert_allclose(store.read(np.arange(4)), open_store(tmp_path / "files").read(np.arange(4)), atol=1)
    assert open_store(tmp_path / "arrays").fingerprint == store.fingerprint and store.namespace == "arrays"


def test_what_belongs_to_the_recordings_is_kept_as_given(tmp_path):
    frame = pd.DataFrame(
        {"who": [7.0, 7.0, 8.0, 9.0], "age": [50, None, 60, 70], "report": ["Sinus", None, "AF", "AF"]}
    )
    store = Store.from_arrays(
        tmp_path / "store", SIGNALS, **ABOUT, patients=frame["who"], ages=frame["age"], reports=frame["report"],
        sexes=["female", None, "male", None], record_ids=["a", "b", "c", "d"], name="ward",
        labels={"r": ["AF", None, ["SB", "AF"], ()], "s": {"ST": np.array([1, 0, 0, 1]), "T": [False] * 4}},
    )  # fmt: skip
    assert store.column("patient_id").tolist() == ["7", "7", "8", "9"]
    assert store.column("fold").tolist() == [fold_of_patient(one) for one in ("7", "7", "8", "9")]
    assert store.column("record_id").tolist() == ["a", "b", "c", "d"] and store.texts == ("sinus", "af")
    assert store.column("sex").tolist() == ["female", None, "male", None]
    np.testing.assert_array_equal(store.column("age"), [50, np.nan, 60, 70])
    assert store.labels("r").tolist() == [[True, False], [False, False], [True, True], [False, False]]
    assert store.labelled("r").tolist() == [True, False, True, False]
    assert store.labels("s").tolist() == [[True, False], [False, False], [False, False], [True, False]]
    assert store.labelled("s").all()


def test_a_recording_that_cannot_be_used_is_rejected_with_a_warning_and_the_others_kept(tmp_path):
    signals = [*SIGNALS, SIGNALS[0][:5], SIGNALS[0] * np.inf, 1000 * SIGNALS[0]]
    with pytest.warns(UserWarning, match=r"3 of 7 recordings were rejected \(.*rejected\.csv says why"):
        store = Store.from_arrays(tmp_path / "store", signals, **ABOUT)
    assert store.n_records == 4 and sum(store.info["rejected"].values()) == 3


def test_what_is_cut_is_told(tmp_path):
    with pytest.warns(UserWarning, match=r"4 records are longer than 1 s \(such as 0, 1, 2\); their first 1 s"):
        Store.from_arrays(tmp_path / "store", SIGNALS, **ABOUT | {"seconds": 1.0})


def test_what_frames_and_arrays_write_for_nothing_is_nothing(tmp_path):
    store = Store.from_arrays(
        tmp_path / "store", SIGNALS, **ABOUT, reports=[pd.NA, "nan", "", "AF"], ages=pd.array([1, None, 3, 4], "Int64"),
        labels={"r": [np.array(["AF", "SB"]), "", pd.NA, ["AF", " "]]},
    )  # fmt: skip
    assert store.texts == ("af",) and [label.code for label in store.classes("r")] == ["AF", "SB"]
    assert store.labels("r").tolist() == [[True, True], [False, False], [False, False], [True, False]]
    np.testing.assert_array_equal(store.column("age"), [1, np.nan, 3, 4])


def test_other_samples_in_the_same_folder_are_refused(tmp_path):
    Store.from_arrays(tmp_path / "store", SIGNALS, **ABOUT)
    assert Store.from_arrays(tmp_path / "store", SIGNALS.copy(), **ABOUT).n_records == 4
    with pytest.raises(CgdmerError, match="was begun from another list of records"):
        Store.from_arrays(tmp_path / "store", SIGNALS + 1, **ABOUT)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signals": SIGNALS[0]}, r"signals has 2 axes; give an array \[record, lead, time\]"),
        ({"name": "ptbxl"}, "name of a public collection"),
        ({"unit": "nV"}, 'unit is "nV".'),
        ({"rate": 0}, "rate is 0 Hz"),
        ({"patients": [1, 2]}, "patients has 2 entries for 4 recordings"),
        ({"patients": [1, None, 2, 3]}, r"patients\[1\] is missing; give a record"),
        ({"patients": [1, "nan", 2, 3]}, r"patients\[1\] is missing"),
        ({"folds": [0, 1, 2, 3]}, "fold 0; give every record a fold from 1 to 10"),
        ({"folds": ["1", 2, 3, 4]}, r"folds\[0\] is '1'; give a whole number from 1 to 10"),
        ({"folds": [1.5, 2, 3, 4]}, r"folds\[0\] is 1.5; give a whole number"),
        ({"folds": [1, 2, 3, None]}, r"folds\[3\] is None"),
        ({"ages": ["old", 1, 2, 3]}, r"ages\[0\] is no number; give years"),
        ({"sexes": [np.array(["male"])] * 4}, r"sexes\[0\] is "),
        ({"patients": ["\udc80", "b", "c", "d"]}, r"patients\[0\] holds half a letter"),
        ({"record_ids": [None, 1, 2, 3]}, r"record_ids\[0\] is missing"),
        ({"labels": ["AF"] * 4}, "labels is a list; give a mapping by task"),
        ({"labels": {"a/b": ["AF"] * 4}}, "labels has the task 'a/b'"),
        ({"folds": [1, 2, 3, 3], "patients": [1, 1, 2, 2]}, "a patient in folds 1 and 2"),
        ({"ages": [1, 2, 3, 400]}, "the age 400"),
        ({"sexes": ["f"] * 4}, r"sexes\[0\] is 'f'; give \"female\""),
        ({"labels": {"r": [None] * 4}}, "holds no label; leave the task out"),
        ({"labels": {"r": {"AF": [0, 1, 2, 0]}}}, "holds something else than 0 and 1"),
        ({"labels": {"r": [1, 2, 3, 4]}}, r'labels\["r"\]\[0\]'),
        ({"record_ids": list("aabc")}, "lists record a 2 times"),
        ({"reports": [1, "", "", ""]}, "report 0 is of type int"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path, changes, words):
    given = {"signals": SIGNALS} | ABOUT | changes
    with pytest.raises(CgdmerError, match=words):
        Store.from_arrays(tmp_path / "store", **given)
