"""The language of a report, against the prompts, whose language their authors say."""

import pytest

from cgdmer_jax.data.text.languages import ENGLISH, GERMAN, language
from cgdmer_jax.data.text.prompts import load_prompts


def test_no_word_is_of_both_languages():
    assert not GERMAN & ENGLISH


@pytest.mark.parametrize("said", ["en", "de"])
def test_prompts_are_of_the_language_they_are_listed_under_or_undecided(said):
    prompts = load_prompts("ptbxl")
    texts = [text for task in prompts.values() for of_class in task.values() for text in of_class[said]]
    found = [language(text) for text in texts]
    other = {"en": "de", "de": "en"}[said]
    assert found.count(other) <= 0.01 * len(texts)
    assert found.count(said) > 0.5 * len(texts)  # a prompt is a few words, a report many


def test_reports_as_readers_write_them():
    assert language("sinusrhythmus lagetyp normal unspezifisches st-t abnorm, wahrscheinlich ischämie") == "de"
    assert language("sinus rhythm. left axis deviation. otherwise normal ecg.") == "en"
    assert language("sinusrytm vänster el-axel ospecifik t-förändring") == "other"
    assert language("") == "other"


def test_two_thirds_of_ptbxl_s_reports_are_german(shared_data, tmp_path):
    import csv
    import tarfile

    with tarfile.open(shared_data / "ptb-xl-metadata.tar.xz") as archive:
        name = next(n for n in archive.getnames() if n.endswith("ptbxl_database.csv"))
        lines = archive.extractfile(name).read().decode().splitlines()
    found = [language(row["report"]) for row in csv.DictReader(lines)]
    assert found.count("de") / len(found) == pytest.approx(0.65, abs=0.03)
    assert found.count("other") / len(found) < 0.03
