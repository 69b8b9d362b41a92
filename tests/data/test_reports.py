"""Report cleaning against hand-picked and all real reports; tokenizers against their contract."""

import csv
import io
import random
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from cgdmer_jax.data.text.cleaning import RULES, clean, touched
from cgdmer_jax.data.text.tokenizer import (
    SPECIAL_TOKENS,
    encode,
    load_tokenizer,
    load_word_piece,
    save_tokenizer,
    shared_words,
    tokenizer_sha256,
    train_wordpiece,
)
from cgdmer_jax.errors import CgdmerError

TEXTS = [
    "sinusrhythmus normales ekg",
    "sinusrhythmus lagetyp normal normales ekg",
    "linksschenkelblock für übergang",
    "vorhofflimmern linksschenkelblock",
    "sinus rhythm. normal ecg.",
    "sinus rhythm. left bundle branch block.",
]
PIECES = [
    "4.46",
    "4.",
    " 4",
    "unbestätigter bericht",
    "UNBEST",
    " ",
    "Edit:",
    "trace only requested.",
    "#",
    "Ä",
]


@pytest.fixture(scope="module")
def ptbxl_reports(shared_data: Path) -> list[str]:
    with tarfile.open(shared_data / "ptb-xl-metadata.tar.xz") as archive:
        table = archive.extractfile("ptb-xl-metadata/ptbxl_database.csv")
        return [row["report"] for row in csv.DictReader(io.TextIOWrapper(table, encoding="utf-8"))]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("sinusrhythmus normales ekg", "sinusrhythmus normales ekg"),
        ("QRS(T) abnorm    inferiorer infarkt", "qrs(t) abnorm inferiorer infarkt"),
        ("normales ekg 4.46                 unbestÄtigter bericht", "normales ekg"),
        ("inferiore ischÄmie 4.46              unbestÄt", "inferiore ischämie"),
        ("inferiore ischÄmie 4.46      ", "inferiore ischämie"),
        ("normal ecg 4.40      unconfi", "normal ecg"),
        ("alter unbest. 4.46    unbestÄtigter bericht", "alter unbest."),
        ("normales ekg 4.46   unbestÄtigter bericht Edit: NORM 80, (NORM 100)", "normales ekg"),
        ("fÜr, f#r, r-s #bergang", "für, für, r-s übergang"),
        ("prolonged pr interval 0.24", "prolonged pr interval 0.24"),
        ("st-hebung in v 4", "st-hebung in v 4"),
        ("trace only requested.", None),
        ("trace only requested. Edit: IMI 50", None),
        ("trace only.", None),
        ("   ", None),
        (" . ", None),
    ],
)
def test_ptbxl_reports_come_out_as_worked_by_hand(raw, expected):
    assert clean(raw, "ptbxl") == expected


def test_version_cut_at_255_characters_is_stripped_from_long_texts_only():
    long = "t abnorm in anterioren ableitungen " * 7
    for cut in ("4", "4.", "4.4", "4.46", "4.46      un"):
        assert clean(long + cut, "ptbxl") == long.strip()


def test_decomposed_accents_give_the_same_text_as_composed_ones():
    assert clean("ischa\u0308mie", "synthetic") == clean("ischämie", "synthetic") == "ischämie"


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40), st.sampled_from(sorted(RULES)))
@example(["x " * 120, " 4.4 4"], "ptbxl")
def test_cleaning_a_cleaned_report_changes_nothing(pieces, source):
    once = clean("".join(pieces), source)
    assert once is None or clean(once, source) == once


def test_unknown_source_is_refused_with_the_nearest_name():
    with pytest.raises(CgdmerError, match="ptbxl"):
        clean("sinus rhythm", "ptb-xl")


def test_touched_names_each_rule_that_changed_the_text():
    assert touched("normales ekg", "ptbxl") == ()
    assert touched("trace only requested.", "ptbxl") == ("trace_only",)
    assert touched("EKG  4.46   unbest Edit: NORM", "ptbxl") == (
        "lower_case",
        "single_blanks",
        "editor_codes",
        "software_mark",
    )


def test_counts_of_the_rules_over_all_21799_ptbxl_reports(ptbxl_reports):
    counts = Counter(name for report in ptbxl_reports for name in touched(report, "ptbxl"))
    assert len(ptbxl_reports) == 21799
    assert counts == {
        "single_blanks": 10198,
        "lower_case": 9984,
        "software_mark": 7047,  # 6,813 whole, 225 cut after "4.46", 8 within it, one "4.40 unconfi"
        "editor_codes": 555,
        "trace_only": 365,  # 343 plain, 20 followed by editor codes, 2 "trace only."
        "umlauts": 125,
    }


def test_ptbxl_reports_keep_short_texts_and_lose_every_tail(ptbxl_reports):
    cleaned = [clean(report, "ptbxl") for report in ptbxl_reports]
    texts = [text for text in cleaned if text is not None]
    assert cleaned.count(None) == 2 + 365  # blank, trace only
    assert texts.count("sinusrhythmus normales ekg") == 687
    assert len(set(texts)) == 9335
    for left_over in ("4.46", "unbestät", "edit:", "trace only", "  ", "#"):
        assert not any(left_over in text for text in texts)
    assert all(clean(text, "ptbxl") == text for text in set(texts))


def test_tokenizer_is_the_same_for_any_order_of_the_texts_and_any_process():
    code = (
        "import sys, random; from cgdmer_jax.data.text.tokenizer import *\n"
        f"texts = {TEXTS} * 3; random.Random(int(sys.argv[1])).shuffle(texts)\n"
        "print(tokenizer_sha256(train_wordpiece(texts, 90)))"
    )
    root = Path(__file__).parents[2]
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, str(seed)], cwd=root, capture_output=True, text=True, check=True
        ).stdout
        for seed in range(3)
    }
    shuffled = random.Random(9).sample(TEXTS * 3, 18)
    assert hashes == {tokenizer_sha256(train_wordpiece(shuffled, 90)) + "\n"}


# Patient and report: a name in one patient's many reports, one in four patients', one in five's.
NAMED = [
    *((f"p{row}", TEXTS[row % 6]) for row in range(60)),
    *(("p7", "herr wurzelbacher normales ekg"),) * 40,
    *((f"p{row}", "befund katzenellenbogen") for row in (1, 2, 3, 4)),
    *((f"p{row}", "gelesen von sauerbruch") for row in (1, 2, 3, 4, 5)),
]


def pieces(tokenizer: Tokenizer) -> set[str]:
    """Entries of two letters and more."""
    found = {name.removeprefix("##") for name in tokenizer.get_vocab() if name not in SPECIAL_TOKENS}
    return {piece for piece in found if len(piece) > 1}


def test_pieces_are_parts_of_words_that_enough_patients_share():
    tokenizer = train_wordpiece(shared_words(NAMED, 5), 500, letters_of={report for _, report in NAMED})
    holders = {word: {p for p, report in NAMED if word in report.split()} for _, r in NAMED for word in r.split()}
    shared = {word for word, patients in holders.items() if len(patients) >= 5}
    assert "sauerbruch" in shared and not {"wurzelbacher", "katzenellenbogen", "herr", "befund"} & shared
    assert pieces(tokenizer) and all(any(piece in word for word in shared) for piece in pieces(tokenizer))
    assert "sauerbruch" in tokenizer.get_vocab(), "what five patients share enters whole"
    for name in ("wurzelbacher", "katzenellenbogen"):
        assert "[UNK]" not in tokenizer.encode(name).tokens and len(tokenizer.encode(name).tokens) > 8
    everything = train_wordpiece([report for _, report in NAMED], 500)
    assert {"wurzelbacher", "katzenellenbogen"} <= pieces(everything), "the names would have entered whole"


def test_with_one_patient_asked_for_the_vocabulary_is_that_of_all_words():
    texts = [report for _, report in NAMED]
    ours = train_wordpiece(shared_words(NAMED, 1), 300, letters_of=texts)
    assert tokenizer_sha256(ours) == tokenizer_sha256(train_wordpiece(texts, 300))


def test_vocabulary_of_shared_words_is_the_same_for_any_order_of_the_reports():
    shuffled = random.Random(3).sample(NAMED, len(NAMED))
    ours, theirs = (
        train_wordpiece(shared_words(reports, 5), 200, letters_of=[report for _, report in reports])
        for reports in (NAMED, shuffled)
    )
    assert tokenizer_sha256(ours) == tokenizer_sha256(theirs)


def test_vocabulary_has_at_most_the_wanted_size_and_special_tokens_first():
    tokenizer = train_wordpiece(TEXTS * 2, 80)
    assert tokenizer.get_vocab_size() <= 80
    assert [tokenizer.id_to_token(number) for number in range(5)] == list(SPECIAL_TOKENS)


def test_vocabulary_below_the_alphabet_is_refused():
    with pytest.raises(CgdmerError, match="raise it"):
        train_wordpiece(TEXTS, 20)


def test_accents_survive_and_words_are_framed():
    tokenizer = train_wordpiece(TEXTS * 5, 200)
    assert tokenizer.encode("für linksschenkelblock").tokens == [
        "[CLS]",
        "für",
        "linksschenkelblock",
        "[SEP]",
    ]
    assert "[UNK]" in tokenizer.encode("日本").tokens


def test_encode_pads_right_counts_cut_texts_and_keeps_their_end_mark():
    tokenizer = train_wordpiece(TEXTS * 5, 200)
    tokens, mask, n_cut = encode(tokenizer, [TEXTS[0], TEXTS[1], "normal"], 6)
    ids = {name: tokenizer.token_to_id(name) for name in SPECIAL_TOKENS}
    assert n_cut == 1
    assert mask.sum(1).tolist() == [5, 6, 3]
    assert tokens[1, -1] == ids["[SEP]"] and (tokens[:, 0] == ids["[CLS]"]).all()
    assert (tokens[~mask] == 0).all() and (tokens[mask] != 0).all()
    assert tokens[0, :5].tolist() == tokenizer.encode(TEXTS[0]).ids


def test_saved_tokenizer_is_read_back_equal_and_by_hugging_face_alike(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer = train_wordpiece(TEXTS * 5, 200)
    save_tokenizer(tokenizer, tmp_path)
    assert tokenizer_sha256(load_tokenizer(tmp_path)) == tokenizer_sha256(tokenizer)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for text in TEXTS:
        assert theirs(text)["input_ids"] == tokenizer.encode(text).ids


def test_padding_and_cutting_set_in_a_tokenizer_file_do_not_act(tmp_path):
    tokenizer = train_wordpiece(TEXTS * 5, 200)
    expected = tokenizer.encode(TEXTS[1]).ids
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=32)
    save_tokenizer(tokenizer, tmp_path)
    assert load_tokenizer(tmp_path).encode(TEXTS[1]).ids == expected


def test_folder_without_a_tokenizer_or_with_one_of_another_type_is_refused(tmp_path):
    with pytest.raises(CgdmerError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)
    other = Tokenizer.from_str(train_wordpiece(TEXTS, 200).to_str().replace("[MASK]", "<mask>"))
    save_tokenizer(other, tmp_path)
    with pytest.raises(CgdmerError, match=r"not of our own BERT type .* config\.method\.text_tower"):
        load_word_piece(tmp_path)
