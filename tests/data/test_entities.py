"""Findings of reports by the phrase table, against what a reader would say of hand-written sentences."""

import random
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.text.entities import ABSENT, NOT_MENTIONED, PRESENT, UNCERTAIN, shipped_table
from cgdmer_jax.data.text.phrases import PhraseTrie, expanded, tokens_of
from cgdmer_jax.data.text.prompts import load_prompts

TABLE = shipped_table()
PAGE = Path(__file__).parents[2] / "docs/entities.md"

# sentence -> what it says; "+" present, "-" absent, "?" uncertain
ENGLISH = {
    "sinus rhythm. normal ecg.": "+sinus_rhythm +normal_ecg",
    "no definite pathology": "+normal_ecg",
    "sinus tachycardia, otherwise normal ecg": "+sinus_tachycardia +otherwise_normal_ecg =normal_ecg",
    "no evidence of ischaemia": "-ischaemia",
    "no evidence of lvh or ischaemia.": "-left_ventricular_hypertrophy -ischaemia",
    "no q waves, st elevation or right bundle branch block": "-q_waves -st_elevation -rbbb",
    "no st elevation, sinus rhythm": "-st_elevation +sinus_rhythm",
    "no st elevation but t wave inversion": "-st_elevation +t_inversion",
    "without st depression. left axis deviation": "-st_depression +left_axis_deviation",
    "atrial premature beats are not seen": "-atrial_premature_beats",
    "acute pericarditis is unlikely": "-pericarditis",
    "rhythm was previously atrial fibrillation": "-atrial_fibrillation",
    "there is no longer atrial flutter": "-atrial_flutter",
    "old inferior infarct cannot be excluded": "?inferior_infarction",
    "in the presence of lbbb, ischaemia is not excluded": "+lbbb ?ischaemia",
    "cannot rule out anterior myocardial infarction": "?anterior_infarction ?myocardial_infarction",
    "possible left atrial enlargement. st segments are depressed": "?left_atrial_enlargement +st_depression",
    "this may be due to lv strain or ischaemia and digitalis effect": "?lv_strain ?ischaemia ?digitalis_effect",
    "voltages are high in chest leads suggesting lvh": "+lv_voltage_criteria ?left_ventricular_hypertrophy",
    "q waves in ii, iii, avf consistent with old inferior myocardial infarction": "+q_waves +inferior_infarction",
    "probable old anteroseptal and inferior myocardial infarcts": "?anteroseptal_infarction ?inferior_infarction",
    "inferior infarct, probably old.": "+inferior_infarction",
    "lvh?": "?left_ventricular_hypertrophy",
    "? lvh": "?left_ventricular_hypertrophy",
    "left anterior fascicular block. incomplete right bundle branch block": "+incomplete_rbbb =rbbb =av_block",
    "st changes of doubtful significance": "+st_t_changes",
    "no significant change in t wave inversion": "+t_inversion",
    "with or without actual infarction": "?myocardial_infarction",
    "t waves are flat in i, v5,6 and inverted in avl": "+low_t +t_inversion",
}
ENGLISH |= {
    "no ecg evidence of lvh or ischaemia": "-left_ventricular_hypertrophy -ischaemia",
    "no definite evidence to suggest recent ischaemia": "-ischaemia",
    "without evidence of pericarditis": "-pericarditis",
    "acute pericarditis would be unlikely": "-pericarditis",
    "definite delta waves are not seen": "-pre_excitation",
    "st segment depression has resolved": "-st_depression",
    "septal hypertrophy rather than old infarction": "+septal_hypertrophy -myocardial_infarction",
    "ischaemia is not excluded": "?ischaemia",
}
GERMAN = {
    "jedoch keine sichere deltawelle": "-pre_excitation",
    "inferiorer myokardschaden nicht auszuschliessen": "?inferior_infarction",
    "q in ii,iii,avf (nicht signifikant) normales ekg": "-q_waves +normal_ecg",
    "kein neg t über der brustwand": "-t_inversion",
    "sinusrhythmus lagetyp normal normales ekg": "+sinus_rhythm +normal_axis +normal_ecg",
    "sinusbradykardie linkstyp sonst normales ekg": "+sinus_bradycardia +left_axis +otherwise_normal_ecg =normal_ecg",
    "kein vorhofflimmern mehr": "-atrial_fibrillation",
    "keine hinweise für frischen infarkt": "-myocardial_infarction",
    "sinusrhythmus ohne extrasystolen lagetyp normal": "+sinus_rhythm -premature_beats +normal_axis",
    "ohne st-hebung oder st-senkung": "-st_elevation -st_depression",
    "weder linksschenkelblock noch rechtsschenkelblock": "-lbbb -rbbb",
    "kein linksschenkelblock, aber av-block i": "-lbbb +first_degree_av_block",
    "st-hebung nicht nachweisbar": "-st_elevation",
    "q in iii nicht signifikant": "-q_waves",
    "q in v1, avr nicht sign. ekg pathologisch": "-q_waves +abnormal_ecg",
    "kein hinweis im ekg für le": "-pulmonary_embolism",
    "perikarditis unwahrscheinlich": "-pericarditis",
    "pq-zeit verkürzt, jedoch keine sichere deltawelle": "+short_pr -pre_excitation",
    "verdacht auf p-sinistrocardiale lagetyp normal": "?left_atrial_enlargement +normal_axis",
    "v.a. hinterwandinfarkt": "?inferior_infarction",
    "inferiorer myokardschaden nicht auszuschliessen anteriorer infarkt alter unbest.": (
        "?inferior_infarction +anterior_infarction"
    ),
    "hochlateraler infarkt möglich inferiorer infarkt wahrscheinlich alt": (
        "?high_lateral_infarction ?lateral_infarction +inferior_infarction +myocardial_infarction"
    ),
    "linkstyp linksschenkelblock linkshypertrophie möglich": "+left_axis +lbbb ?left_ventricular_hypertrophy",
    "st & t abnorm, wahrscheinlich anterolaterale ischämie oder linksbelastung": (
        "+st_t_changes ?anterolateral_ischaemia ?ischaemia ?lv_strain"
    ),
    "möglicherweise wpw typ b lagetyp normal": "?pre_excitation +normal_axis",
    "fragl. digitalis": "?digitalis_effect",
    "ischämie?": "?ischaemia",
    "vorhofflimmern/-flattern": "+atrial_fibrillation ?atrial_flutter",
    "unvollständiger rechtsschenkelblock": "+incomplete_rbbb =rbbb",
    "regelmässiger rhythmus, keine p-welle erkannt linkstyp": "+left_axis",
    "wahrscheinlich normales ekg": "?normal_ecg",
    "mässige amplitudenkriterien für linkshypertrophie": "+lv_voltage_criteria ?left_ventricular_hypertrophy",
}
# Stated beside another entity by one phrase ("sinus tachycardia"), or in a sentence that is about another.
WIDER_WORDS = ("left_anterior_fascicular_block", "rapid_ventricular_response", "tachycardia", "bradycardia")
SIGNS = {"+": PRESENT, "-": ABSENT, "?": UNCERTAIN, "=": NOT_MENTIONED}


def state(text: str, entity: str) -> int:
    return int(TABLE.findings(text)[TABLE.keys.index(entity)])


@pytest.mark.parametrize(("text", "said"), [*ENGLISH.items(), *GERMAN.items()])
def test_a_sentence_is_read_as_a_reader_would(text, said):
    assert {one: state(text, one[1:]) for one in said.split()} == {one: SIGNS[one[0]] for one in said.split()}


def test_the_examples_of_the_page_are_among_them():
    table = re.search(r"^\| English .*?\n\n", PAGE.read_text(encoding="utf-8"), re.M | re.S)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    assert [len(row) for row in cells] == [4] * 10
    assert {row[0] for row in cells} <= ENGLISH.keys() and {row[2] for row in cells} <= GERMAN.keys()


def test_nothing_else_is_read_into_a_sentence():
    """What is neither named nor a wider kind of what is named is not mentioned."""
    for text, said in (ENGLISH | GERMAN).items():
        if "-" in said:  # a denial goes down to all narrower kinds
            continue
        named = {one[1:] for one in said.split()}
        wider = {kind for key in named for kind in kinds_above(key)}
        found = {key for key, value in zip(TABLE.keys, TABLE.findings(text), strict=True) if value}
        assert {key for key in found - named - wider if is_exclusive(key)} == set(), text


def is_exclusive(key: str) -> bool:
    """Whether an entity of that group is stated by phrases that hold no other's words."""
    group = TABLE.entities[TABLE.keys.index(key)].group
    return group in ("rhythm", "infarction", "overall", "conduction") and key not in WIDER_WORDS


def kinds_above(key: str) -> set[str]:
    own = TABLE.entities[TABLE.keys.index(key)].is_a
    return {*own, *(wider for kind in own for wider in kinds_above(kind))}


@pytest.mark.parametrize("text", [*ENGLISH, *GERMAN])
def test_case_accents_and_umlauts_spelled_out_change_nothing(text):
    expected = TABLE.findings(text)
    spelled = text.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
    for other in (text.upper(), spelled, unicodedata.normalize("NFD", text), text.replace("-", " "), f"  {text}  "):
        assert np.array_equal(TABLE.findings(other), expected), other


def test_the_order_of_statements_changes_nothing():
    generator = random.Random(0)
    statements = [text for text in (*ENGLISH, *GERMAN) if not text.startswith("?") and not text.endswith((".", "?"))]
    for _ in range(40):
        some = generator.sample(statements, 4)
        found = [TABLE.findings(". ".join(order)) for order in (some, some[::-1])]
        assert np.array_equal(*found), some


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no ischaemia. possible ischaemia. ischaemia", PRESENT),
        ("possible ischaemia. no ischaemia", UNCERTAIN),
        ("no ischaemia. without ischaemia", ABSENT),
        ("no myocardial infarction. possible old inferior infarct", UNCERTAIN),
    ],
)
def test_of_conflicting_statements_the_strongest_holds(text, expected):
    entity = "myocardial_infarction" if "infarct" in text else "ischaemia"
    assert state(text, entity) == expected


def test_a_finding_makes_its_wider_kinds_as_certain_and_a_denial_goes_down():
    assert state("anteroseptal infarct", "anterior_infarction") == PRESENT
    assert state("possible anteroseptal infarct", "myocardial_infarction") == UNCERTAIN
    assert state("no myocardial infarction", "anteroseptal_infarction") == ABSENT
    assert state("no anteroseptal infarct", "myocardial_infarction") == NOT_MENTIONED


def test_a_cue_reaches_neither_past_a_stop_nor_too_far():
    assert state("no p waves. atrial fibrillation", "atrial_fibrillation") == PRESENT
    assert state("not one two three four five six atrial fibrillation", "atrial_fibrillation") == PRESENT
    assert state("not one two three atrial fibrillation", "atrial_fibrillation") == ABSENT


def test_the_words_of_a_mention_are_told():
    (mention,) = TABLE.mentions("Verdacht auf Ischämie")
    assert (TABLE.keys[mention.entity], mention.denied, mention.hedged, mention.words) == (
        *("ischaemia", False, True, "ischemie"),
    )


def test_a_table_has_a_row_a_text():
    table = TABLE.table(["sinus rhythm", "", "lvh"])
    assert (table.dtype, table.shape) == (np.int8, (3, len(TABLE.keys)))
    assert not table[1].any()
    assert TABLE.table([]).shape == (0, len(TABLE.keys))


def test_every_entity_is_found_by_some_phrase_of_its_own_and_is_a_kind_of_known_ones():
    for entity in TABLE.entities:
        assert set(entity.is_a) <= set(TABLE.keys)
        assert re.fullmatch(r"[a-z_]+", entity.key)
    named = {entity.key for entity in TABLE.entities if state(entity.name, entity.key) != NOT_MENTIONED}
    assert len(named) > 0.75 * len(TABLE.keys)  # most English names are phrases; of some no reader writes the name


def test_prompts_of_ptbxl_that_name_a_diagnosis_are_read_so():
    """The prompts were written independently of the table."""
    prompts = load_prompts("ptbxl")["sub"]
    pairs = {"CLBBB": "lbbb", "CRBBB": "rbbb", "IRBBB": "incomplete_rbbb", "IMI": "inferior_infarction"}
    for code, entity in {**pairs, "LVH": "left_ventricular_hypertrophy", "WPW": "pre_excitation"}.items():
        for texts in prompts[code].values():
            assert all(state(text, entity) in (PRESENT, UNCERTAIN) for text in texts), (code, texts)


def test_patterns_stand_for_their_phrases():
    assert expanded("[a|b] c[|d]", {}) == ["a c", "a cd", "b c", "b cd"]
    assert expanded("x <y>", {"y": "1|[2|3] 4"}) == ["x 1", "x 2 4", "x 3 4"]
    assert expanded("klein~", {}) == ["klein", "kleine", "kleiner", "kleines", "kleinen", "kleinem"]
    for pattern in ("[a|b", "<nothing>"):
        with pytest.raises(ValueError, match="open bracket"):
            expanded(pattern, {})


def test_the_longest_phrase_at_a_place_is_found():
    trie = PhraseTrie()
    for phrase in ("a b", "a b c", "b c d"):
        trie.add(phrase, phrase)
    assert [one.meanings for one in trie.find(tokens_of("a b c d"))] == [("a b c",), ()]
    assert [one.meanings for one in trie.find(tokens_of("x a b"))] == [(), ("a b",)]
