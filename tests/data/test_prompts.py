"""Prompts cover every class of their collection and pass through the same cleaning as reports."""

import csv
import io
import tarfile

import pytest

from cgdmer_jax.data import published_splits
from cgdmer_jax.data.synthetic.hearts import FINDINGS
from cgdmer_jax.data.text import prompts
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.errors import CgdmerError

ALL = [
    (collection, task, code, language, phrasings)
    for collection in sorted(path.stem for path in prompts.FOLDER.glob("*.json"))
    if prompts.holder(collection) == collection
    for task, classes in prompts.load_prompts(collection).items()
    for code, languages in classes.items()
    for language, phrasings in languages.items()
]


def test_every_ptbxl_class_has_prompts_and_no_other(shared_data):
    with tarfile.open(shared_data / "ptb-xl-sample.tar.xz") as archive:
        member = next(each for each in archive if each.name.endswith("scp_statements.csv"))
        rows = list(csv.DictReader(io.TextIOWrapper(archive.extractfile(member), encoding="utf-8")))
    wanted = {
        "super": {row["diagnostic_class"] for row in rows if row["diagnostic"]},
        "sub": {row["diagnostic_subclass"] for row in rows if row["diagnostic"]},
        "form": {row[""] for row in rows if row["form"]},
        "rhythm": {row[""] for row in rows if row["rhythm"]},
    }
    assert {task: set(classes) for task, classes in prompts.load_prompts("ptbxl").items()} == wanted


def test_ptbxl_has_5_23_19_12_classes_and_both_languages():
    loaded = prompts.load_prompts("ptbxl")
    assert {task: len(classes) for task, classes in loaded.items()} == {
        "super": 5,
        "sub": 23,
        "form": 19,
        "rhythm": 12,
    }
    assert all(set(languages) == {"en", "de"} for task in loaded.values() for languages in task.values())


def test_synthetic_prompts_cover_the_findings_in_order():
    assert list(prompts.load_prompts("synthetic")["findings"]) == list(FINDINGS)
    assert list(prompts.load_polarity("synthetic")["findings"]) == list(FINDINGS)


@pytest.mark.parametrize(("collection", "task", "code", "language", "phrasings"), ALL)
def test_phrasings_are_three_different_short_texts_that_cleaning_keeps(collection, task, code, language, phrasings):
    assert len(phrasings) == len(set(phrasings)) == 3
    cleaned = [clean(phrase, collection) for phrase in phrasings]
    assert None not in cleaned and len(set(cleaned)) == 3
    assert all(len(phrase.split()) <= 14 for phrase in phrasings)
    if collection == "ptbxl":
        assert cleaned == list(phrasings)  # written as cleaned reports are


def test_no_two_classes_of_a_task_share_a_phrasing():
    for collection, task in {(c, t) for c, t, *_ in ALL}:
        texts = [p for c, t, _, _, phrasings in ALL if (c, t) == (collection, task) for p in phrasings]
        assert len(texts) == len(set(texts)), sorted({p for p in texts if texts.count(p) > 1})


def test_negation_is_a_sentence_of_its_own_for_every_finding():
    for code, pair in prompts.load_polarity("synthetic")["findings"].items():
        assert pair.affirmed != pair.negated, code
        assert pair.negated.lower().startswith("no evidence of ") and "no " not in pair.affirmed.lower()


def test_an_unknown_collection_names_the_nearest_one():
    with pytest.raises(CgdmerError, match='Did you mean "ptbxl"'):
        prompts.load_prompts("ptbx")


def test_a_collection_without_sentences_for_negation_says_so():
    with pytest.raises(CgdmerError, match="polarity"):
        prompts.load_polarity("ptbxl")


def test_a_file_with_a_missing_phrasing_is_refused(tmp_path, monkeypatch):
    (tmp_path / "short.json").write_text('{"prompts": {"t": {"A": {"en": ["one", "two", "one"]}}}}')
    monkeypatch.setattr(prompts, "FOLDER", tmp_path)
    with pytest.raises(CgdmerError, match="class A of task t has 2"):
        prompts.load_prompts("short")


def test_the_hash_follows_the_bytes_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(prompts, "FOLDER", tmp_path)
    (tmp_path / "a.json").write_text("{}")
    first = prompts.prompts_sha256("a")
    (tmp_path / "a.json").write_text("{ }")
    assert prompts.prompts_sha256("a") != first


def test_a_folder_without_merl_s_prompts_says_where_they_lie_upstream(tmp_path):
    words = r"CKEPE_prompt\.json is missing; .* cheliu-computation/MERL-ICML2024 .*zeroshot/CKEPE_prompt\.json"
    with pytest.raises(CgdmerError, match=words):
        published_splits.published_prompts(tmp_path, ["NORM"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 200_000 + "]" * 200_000, "is nested more than 64 deep"),
        ('["sinus rhythm"]', "does not hold one text for each class"),
        ('{"NORM": ["normal ecg"]}', "does not hold one text for each class"),
        ('{"NORM"', "is not valid JSON"),
    ],
    ids=["nested", "list", "values", "cut"],
)
def test_a_damaged_file_of_published_prompts_is_one_sentence(tmp_path, content, words):
    (tmp_path / published_splits.CKEPE).write_text(content)
    with pytest.raises(CgdmerError, match=rf"CKEPE_prompt\.json {words}.*; restore the published file$"):
        published_splits.published_prompts(tmp_path, ["NORM"])
