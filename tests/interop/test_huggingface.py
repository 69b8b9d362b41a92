"""load_text_encoder: every tensor used, left out by name or refused; a mistake is answered with its remedy."""

import json
import subprocess
import sys

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_names import harmless
from tests.interop.bert_folder import VOCABULARY, WIDTH, bert_tensors, change_config, word_tokenizer, write_bert


@pytest.fixture
def folder(tmp_path):
    return write_bert(tmp_path / "bert")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return load_text_encoder(write_bert(tmp_path_factory.mktemp("plain") / "bert"))


def rewrite(folder, change):
    """`change` gets the tensors by name and returns others."""
    save_file(change(bert_tensors()), folder / "model.safetensors")


def assert_same_parameters(one, other):
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)


def test_the_tower_tells_what_a_caller_must_know(plain):
    facts = plain.facts
    assert (facts.family, facts.width, facts.vocabulary, facts.max_tokens) == ("bert", WIDTH, VOCABULARY, 10)
    assert (facts.pad_id, facts.mask_id, facts.weights, facts.left_out) == (0, 2, "model.safetensors", ())


def test_blocks_are_stacked_and_linear_maps_transposed(plain):
    tensors = bert_tensors()
    kernel = plain.params["blocks"]["up"]["kernel"]
    for layer in range(2):
        np.testing.assert_array_equal(kernel[layer].T, tensors[f"encoder.layer.{layer}.intermediate.dense.weight"])


def test_shards_with_an_index_give_the_same_parameters(folder, plain):
    tensors = bert_tensors()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for part, held in parts.items():
        save_file({name: tensors[name] for name in held}, folder / part)
    places = {name: part for part, held in parts.items() for name in held}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (folder / "model.safetensors").unlink()
    assert_same_parameters(load_text_encoder(folder), plain)
    (folder / "model-00002-of-00002.safetensors").rename(folder / "elsewhere")
    with pytest.raises(CgdmerError, match=r"00002-of-00002\.safetensors is missing; copy every part"):
        load_text_encoder(folder)
    for part in ("../x.safetensors", "..", "", "a\0b", "/etc/hostname"):
        index.write_text(json.dumps({"weight_map": places | {names[0]: part}}))
        with pytest.raises(CgdmerError, match="names a part outside its folder"):
            load_text_encoder(folder)
    for content in ([], {}, {"weight_map": None}, {"weight_map": places | {names[0]: 3}}):
        index.write_text(json.dumps(content))
        with pytest.raises(CgdmerError, match="has no weight_map of tensor to file"):
            load_text_encoder(folder)


def test_prefix_old_names_and_a_language_head_change_nothing_and_are_named(folder, plain):
    def with_head(tensors):
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        renamed = {}
        for name, tensor in tensors.items():
            for new, before in old.items():
                name = name.replace(new, before)
            renamed["bert." + name] = tensor
        head = {"cls.predictions.bias": np.zeros(VOCABULARY, np.float32)}
        head["cls.predictions.transform.LayerNorm.gamma"] = np.ones(WIDTH, np.float32)
        return renamed | head | {"bert.embeddings.position_ids": np.arange(10)[None]}

    rewrite(folder, with_head)
    tower = load_text_encoder(folder)
    assert_same_parameters(tower, plain)
    assert tower.facts.left_out == (
        "bert.embeddings.position_ids",
        "cls.predictions.bias",
        "cls.predictions.transform.LayerNorm.gamma",
    )


def test_half_precision_weights_become_float32_parameters(folder):
    rewrite(folder, lambda tensors: {name: tensor.astype(ml_dtypes.bfloat16) for name, tensor in tensors.items()})
    params = load_text_encoder(folder).params
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    token = bert_tensors()["embeddings.word_embeddings.weight"].astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(params["token"], token.astype(np.float32))


def test_a_model_without_pooler_has_none(folder):
    rewrite(folder, lambda tensors: {n: t for n, t in tensors.items() if not n.startswith("pooler")})
    tower = load_text_encoder(folder)
    assert not tower.module.pooler and "pool" not in tower.params


def test_missing_extra_and_misshaped_tensors_are_told_in_one_table(folder):
    def spoil(tensors):
        tensors["encoder.layer.2.output.dense.bias"] = tensors.pop("encoder.layer.1.output.dense.bias")
        tensors["embeddings.LayerNorm.bias"] = tensors["embeddings.LayerNorm.bias"][:5]
        tensors["pooler.dense.bias"] = tensors["pooler.dense.bias"].astype(np.int8)
        return tensors

    rewrite(folder, spoil)
    with pytest.raises(CgdmerError, match="nothing was loaded: take both files from the same model") as caught:
        load_text_encoder(folder)
    assert str(caught.value).splitlines()[1:] == [
        "  missing     encoder.layer.1.output.dense.bias [8]",
        "  extra       encoder.layer.2.output.dense.bias [8]",
        "  mis-shaped  embeddings.LayerNorm.bias [5], expected [8]",
        "  mis-typed   pooler.dense.bias I8, expected one of BF16, F16, F32, F64",
    ]


def test_two_tensors_for_one_place_are_refused(folder):
    twice = "bert.embeddings.LayerNorm.bias"
    rewrite(folder, lambda tensors: tensors | {twice: np.zeros(WIDTH, np.float32)})
    with pytest.raises(
        CgdmerError, match=r"extra .*embeddings\.LayerNorm\.bias \(a second embeddings\.LayerNorm\.bias\)"
    ):
        load_text_encoder(folder)


def test_what_is_left_out_is_a_list_of_names_and_no_wildcard():
    assert "decoder.block.1.layer.1.EncDecAttention.q.weight" in harmless("t5", {"num_layers": 2})
    assert "decoder.block.2.layer.1.EncDecAttention.q.weight" not in harmless("t5", {"num_layers": 2})
    assert "lm_head.layer_norm.weight" in harmless("xlm-roberta", {})
    assert "classifier.weight" not in harmless("bert", {})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"model_type": "deberta-v2"},
            r'architecture "deberta-v2".* name a model of .* bert, roberta, t5, xlm-roberta',
        ),
        ({"hidden_act": "gelu_neu"}, r'config\.json: hidden_act is "gelu_neu"; .*Did you mean "gelu_new"'),
        ({"position_embedding_type": "relative_key"}, 'only "absolute" is known'),
        ({"is_decoder": True}, "describes a decoder"),
        ({"num_attention_heads": 3}, "no multiple of its num_attention_heads 3"),
        (
            {"num_hidden_layers": "2"},
            r"config\.json: num_hidden_layers is '2', expected a whole number from 1 to",
        ),
        ({"layer_norm_eps": None}, "layer_norm_eps is None, expected a number above 0, below 1"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps is '1e-12', expected a number above 0"),
        ({"layer_norm_eps": 0}, "layer_norm_eps is 0, expected a number above 0"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan, expected a number above 0"),
        ({"hidden_act": None}, "hidden_act is None, expected `gelu`, `gelu_new`, `gelu_pytorch_tanh` or `relu`"),
        ({"hidden_act": ["gelu"]}, r"hidden_act is \['gelu'\], expected `gelu`, "),
        ({"hidden_size": 10**9}, "hidden_size is 1000000000, expected a whole number from 1 to 65,536"),
        ({"intermediate_size": 1 << 40}, "intermediate_size is 1099511627776, expected a whole number from 1"),
        ({"vocab_size": 0}, "vocab_size is 0, expected a whole number from 1"),
        ({"max_position_embeddings": True}, "max_position_embeddings is True, expected a whole number"),
    ],
)
def test_a_config_that_is_not_proven_is_refused_by_name(folder, fields, words):
    change_config(folder, **fields)
    with pytest.raises(CgdmerError, match=words):
        load_text_encoder(folder)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_finite_number_is_refused_by_its_tensor(folder, number):
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("layer.1.output.dense.weight"))
    tensors[name][1, 2] = number
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    told = rf"model\.safetensors: 1 of the {tensors[name].size} numbers of .*1\.output\.dense\.weight are not finite"
    with pytest.raises(CgdmerError, match=told):
        load_text_encoder(folder)


def one_paragraph(error) -> bool:
    return "\n" not in str(error) and len(str(error)) < 600


def test_a_wrong_folder_says_which_files_belong_there(folder, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        (folder / name).rename(tmp_path / "away")
        with pytest.raises(CgdmerError, match=rf"has no {name}.*place there config\.json, tokenizer\.json") as caught:
            load_text_encoder(folder)
        assert one_paragraph(caught.value)
        (tmp_path / "away").rename(folder / name)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CgdmerError, match=r"has no weights; place model\.safetensors there"):
        load_text_encoder(folder)
    with pytest.raises(CgdmerError, match=r"there is no folder .*/nowhere"):
        load_text_encoder(tmp_path / "nowhere")
    (folder / "config.json").write_text('{"format_version": 1}')
    with pytest.raises(CgdmerError, match="names no model_type"):
        load_text_encoder(folder)


@pytest.mark.parametrize("left", [5, 300, -40])
def test_a_truncated_safetensors_file_is_named_with_the_remedy(folder, left):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(CgdmerError, match=r"model\.safetensors is cut or damaged .*; download or copy it") as caught:
        load_text_encoder(folder)
    assert one_paragraph(caught.value)


def test_a_damaged_tokenizer_is_named(folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(CgdmerError, match=r"tokenizer\.json is no tokenizer"):
        load_text_encoder(folder)


def test_a_hub_address_without_network_says_which_files_to_place(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    words = r"the network, or place config\.json, tokenizer\.json and model\.safetensors .*folder"
    with pytest.raises(CgdmerError, match=words) as caught:
        load_text_encoder("hf://nobody/nothing-at-all@v1")
    assert one_paragraph(caught.value)


def test_padding_and_cutting_of_the_file_are_switched_off(folder):
    tokenizer = word_tokenizer()
    tokenizer.enable_padding(length=7)
    tokenizer.enable_truncation(2)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    assert len(load_text_encoder(folder).tokenizer.encode(["w3", "w4", "w5"], is_pretokenized=True).ids) == 3


def test_loading_imports_neither_torch_nor_transformers(folder):
    code = (
        "import sys; from cgdmer_jax.interop.huggingface import load_text_encoder\n"
        f"load_text_encoder({str(folder)!r})\n"
        "found = [m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules]\n"
        "sys.exit(' '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
