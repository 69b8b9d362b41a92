"""Token ids equal transformers' from the same tokenizer.json, for each kind; one of another model is refused."""

import csv
import io
import json
import tarfile

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from cgdmer_jax.data.text.tokenizer import LARGEST_ID, read_tokenizer, train_wordpiece
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from tests.interop.bert_folder import VOCABULARY, change_config, rewrite_rows, word_tokenizer, write_bert

TEXTS = [
    "sinus rhythm. normal ecg.",
    "Sinusrhythmus, Linkstyp; ÜBERGANG in V4 - für T-Welle(n) negativ?",
    "  double  blanks\tand\nlines ",
    "",
    "a",
    "q" * 150,
    "ST-hævning ♥ 心電図 e\u0301 <pad> [MASK] </s>",
]
CORPUS = [*TEXTS, "sinusrhythmus normales ekg", "atrial fibrillation with rapid ventricular response"] * 3


def wordpiece() -> Tokenizer:
    return train_wordpiece(CORPUS, 300)


def byte_pairs() -> Tokenizer:
    """RoBERTa's kind."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=marks, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def unigrams() -> Tokenizer:
    """T5's and XLM-R's kind."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=marks, unk_token="<unk>", max_piece_length=12, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


@pytest.fixture(scope="module")
def reports(request):
    """Every distinct report of PTB-XL's table; none where the real tables are absent."""
    folder = request.config.rootpath.parent / "shared/data"
    if not folder.is_dir():
        return []
    with tarfile.open(folder / "ptb-xl-metadata.tar.xz") as archive:
        table = io.TextIOWrapper(archive.extractfile("ptb-xl-metadata/ptbxl_database.csv"), encoding="utf-8")
        return sorted({row["report"] for row in csv.DictReader(table)})


@pytest.mark.parametrize("make", [wordpiece, byte_pairs, unigrams])
def test_token_ids_equal_transformers(make, tmp_path, reports):
    transformers = pytest.importorskip("transformers")
    tokenizer = make()
    tokenizer.enable_padding(length=64)  # as hub files have it
    tokenizer.enable_truncation(32)
    folder = write_bert(tmp_path / "model")
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    rewrite_rows(folder, tokenizer.get_vocab_size())
    change_config(folder, vocab_size=tokenizer.get_vocab_size())
    ours = load_text_encoder(folder).tokenizer
    texts = TEXTS + reports
    found = [encoding.ids for encoding in ours.encode_batch_fast(texts)]
    direct = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    auto = transformers.AutoTokenizer.from_pretrained(folder)
    for theirs in (direct, auto):
        assert found == theirs(texts, padding=False, truncation=False)["input_ids"]


def test_a_vocabulary_beyond_the_embeddings_is_refused(tmp_path):
    folder = write_bert(tmp_path / "model")
    (folder / "tokenizer.json").write_text(word_tokenizer(VOCABULARY + 1).to_str())
    with pytest.raises(CgdmerError, match=r'token "w20" with id 20.* ids 0 to 19; take tokenizer\.json from') as caught:
        load_text_encoder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [models.WordLevel, models.WordPiece])
def test_a_tokenizer_that_has_no_token_for_unknown_words_is_refused_as_it_is_read(tmp_path, kind):
    whole, without = Tokenizer(kind({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]")), tmp_path / "tokenizer.json"
    whole.save(str(without))
    assert read_tokenizer(without).token_to_id("[UNK]") == 1
    without.write_text(without.read_text().replace('"[UNK]": 1', '"[UNK": 1'))
    with pytest.raises(
        CgdmerError, match=r"is no tokenizer that can be read \(Word.* Missing \[UNK\] token .*; copy it"
    ):
        read_tokenizer(without)


@pytest.mark.parametrize("number", [LARGEST_ID, LARGEST_ID + 1, 2**31, 2**32 - 1])
def test_a_token_s_id_that_no_vocabulary_reaches_is_refused_before_the_gap_below_it_is_filled(tmp_path, number):
    """At 2**31 the library asks for gigabytes when it writes the tokenizer, and ends the process."""
    fields = json.loads(word_tokenizer(VOCABULARY).to_str())
    fields["model"]["vocab"]["w3"] = number
    (tmp_path / "tokenizer.json").write_text(json.dumps(fields))
    if number == LARGEST_ID:
        assert read_tokenizer(tmp_path / "tokenizer.json").token_to_id("w3") == number
        return
    with pytest.raises(CgdmerError, match=rf'has the token "w3" with id {number:,}, and ids up to 16,777,215 are read'):
        read_tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (28, True), (128, True), (129, False), (400, False)])
def test_a_tokenizer_much_smaller_than_the_embeddings_is_that_of_another_model(tmp_path, spare, fits):
    """Models are published with a few spare rows: 28 in Flan-T5 (32,128 rows, 32,100 tokens), 35 in e5-small."""
    folder = write_bert(tmp_path / "model")
    rewrite_rows(folder, VOCABULARY + spare)
    change_config(folder, vocab_size=VOCABULARY + spare)
    if fits:
        assert load_text_encoder(folder).facts.vocabulary == VOCABULARY + spare
        return
    words = rf"tokenizer\.json has 20 tokens, but .*model\.safetensors has .* for {20 + spare}, .* take tokenizer\.json"
    with pytest.raises(CgdmerError, match=words) as caught:
        load_text_encoder(folder)
    assert "\n" not in str(caught.value)
