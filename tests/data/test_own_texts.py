"""Cleaning rules and prompts of one's own: files that do what they say, and one sentence where they say nothing."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer_jax.data.text import cleaning
from cgdmer_jax.data.text.own_cleaning import (
    check_rules,
    cleaned,
    cleaning_sha256,
    no_rules,
    read_cleaning,
)
from cgdmer_jax.data.text.own_prompts import PromptSet, prompts_of, read_prompts
from cgdmer_jax.errors import CgdmerError


def rules_of(folder, value) -> str:
    file = folder / "rules.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return read_cleaning(file)


@given(st.text())
def test_without_rules_a_report_is_cleaned_by_what_is_common_to_all(text):
    assert cleaned(text, "mine", no_rules()) == cleaning.clean(text, "synthetic")


@pytest.mark.parametrize(
    ("value", "text", "clean"),
    [
        ({}, "Sinus  RHYTHM\n", "sinus rhythm"),
        ({"lower_case": False}, "Sinus  RHYTHM\n", "Sinus RHYTHM"),
        ({"rules": [{"replace": "#", "with": "ü"}]}, "f#r fl#gel", "für flügel"),
        ({"rules": [{"cut_from": "EDIT:"}]}, "Normal. Edit: norm 100", "normal."),
        ({"rules": [{"empty_if": "trace only."}]}, "Trace only.", None),
        ({"rules": [{"empty_if": "trace only."}]}, "Trace only. AF", "trace only. af"),
        ({"rules": [{"replace": "a", "with": "b"}, {"replace": "b", "with": ""}]}, "abc", "c"),
        ({"rules": [{"cut_from": "x"}], "lower_case": False}, "X x", "X"),
        ({"rules": [{"replace": "-", "with": "  "}]}, "a-b", "a b"),
    ],
)
def test_rules_are_applied_in_order_to_the_text_that_is_there(tmp_path, value, text, clean):
    assert cleaned(text, "mine", rules_of(tmp_path, value)) == clean


def test_equal_rules_are_one_version_and_others_another(tmp_path):
    same = rules_of(tmp_path, '{"rules": [], "lower_case": true}')
    assert same == no_rules() and cleaning_sha256(same) == hashlib.sha256(no_rules().encode()).hexdigest()
    assert rules_of(tmp_path, {"lower_case": False}) != no_rules()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[]", "is no object of rules; write it as"),
        ('{"rule": []}', r'unknown field "rule"\. Did you mean "rules"'),
        ('{"lower_case": 1}', "lower_case is neither true nor false"),
        ('{"rules": {}}', "rules is no list of at most 100 rules"),
        ('{"rules": [{"replace": "a"}]}', r'rule 1 is none; write one of {"replace": "\.\.\.", "with"'),
        ('{"rules": [{"cut_from": 3}]}', "rule 1 is none"),
        ('{"rules": [{"empty_if": ""}, {"cut_from": ""}]}', "rule 2 looks for an empty phrase"),
        ('{"rules": [', "is not valid JSON"),
        ("[" * 1000, "is nested more than"),
        ('{"rules": [' + " " * 70_000 + "]}", "more than the 65536 bytes"),
    ],
)
def test_what_is_no_rule_is_one_sentence(tmp_path, value, words):
    with pytest.raises(CgdmerError, match=words):
        rules_of(tmp_path, value)


def test_rules_of_somebody_else_cannot_make_a_text_grow_without_bound(tmp_path):
    rules = rules_of(tmp_path, {"rules": [{"replace": "a", "with": "aaaa"}] * 100})
    with pytest.raises(CgdmerError, match="a cleaning rule makes a report of more than 131,072 characters"):
        cleaned("a" * 100, "mine", rules)
    with pytest.raises(CgdmerError, match=r"input\.json has .* more than rules may have"):
        check_rules("x" * 200_000, "input.json")


def prompts_file(folder, value):
    file = folder / "prompts.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_prompts_of_a_file_are_texts_lists_or_by_language(tmp_path):
    file = prompts_file(
        tmp_path, {"prompts": {"r": {"AF": "a fib", "SR": ["sinus"]}, "s": {"X": {"fr": ["un", "deux"]}}}}
    )
    found = read_prompts(file)
    assert found.prompts == {
        "r": {"AF": {"own": ("a fib",)}, "SR": {"own": ("sinus",)}},
        "s": {"X": {"fr": ("un", "deux")}},
    }
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{}", "does not hold prompts by task and class; write it as"),
        ('{"prompts": {"r": []}}', "does not hold prompts by task and class"),
        ('{"prompts": {"r": {"AF": []}}}', "class AF of task r is no text and no list of 1 to 20 texts"),
        ('{"prompts": {"r": {"AF": ["x", 3]}}}', "class AF of task r has a phrasing that is no text"),
        ('{"prompts": {"r": {"AF": {}}}}', "class AF of task r has no prompt"),
        ('{"prompts": {"r": {"AF": "...", "SR": "x"}}}', "class AF of task r has a phrasing that is no text"),
        ('{"prompts": {"r": {"AF": ["x", "y"], "SR": "x"}}}', r"unequal numbers of phrasings \(own: 1, 2\)"),
    ],
)
def test_what_is_no_prompt_is_one_sentence(tmp_path, value, words):
    with pytest.raises(CgdmerError, match=words):
        read_prompts(prompts_file(tmp_path, value))


def test_given_prompts_come_first_then_published_ones_then_names_of_own_classes():
    given_ones, classes = PromptSet({}, "hash"), {"r": {"AF": "atrial fibrillation"}}
    assert prompts_of("ptbxl", classes, own_data=False, given=given_ones) is given_ones
    assert "super" in prompts_of("ptbxl", classes, own_data=False, given=None).prompts
    assert prompts_of("somewhere", classes, own_data=False, given=None) == PromptSet({}, None)
    named = prompts_of("mine", classes, own_data=True, given=None)
    assert named.prompts == {"r": {"AF": {"names": ("atrial fibrillation",)}}} and len(named.sha256) == 64
