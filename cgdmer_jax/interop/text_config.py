"""A Hugging Face config.json as one of our text encoders; what we have not proven equal is refused by name."""

from collections.abc import Callable
from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import check_field
from cgdmer_jax.json_file import read_json
from cgdmer_jax.models.text.bert import BertEncoder
from cgdmer_jax.models.text.sizes import BertSizes, T5Sizes
from cgdmer_jax.models.text.t5 import T5Encoder
from cgdmer_jax.models.text.tower import TextModule

# What configs of older checkpoints leave out, with the value that it had then.
_BERT_UNSAID = {
    "hidden_act": "gelu",
    "is_decoder": False,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
}
_ROBERTA_UNSAID = _BERT_UNSAID | {"pad_token_id": 1}
_BERT_NAMES = {
    "vocabulary": "vocab_size",
    "token_types": "type_vocab_size",
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "heads": "num_attention_heads",
    "hidden": "intermediate_size",
    "activation": "hidden_act",
    "epsilon": "layer_norm_eps",
}
_T5_NAMES = {
    "vocabulary": "vocab_size",
    "width": "d_model",
    "depth": "num_layers",
    "heads": "num_heads",
    "head_width": "d_kv",
    "hidden": "d_ff",
    "buckets": "relative_attention_num_buckets",
    "max_distance": "relative_attention_max_distance",
    "epsilon": "layer_norm_epsilon",
}
REMEDY = "copy it again from where the model comes from"
_T5_UNSAID = {"feed_forward_proj": "relu", "layer_norm_epsilon": 1e-6, "relative_attention_max_distance": 128}


def read_text_config(path: Path) -> dict:
    """The file, its `model_type` one of FAMILIES."""
    config = read_json(path, remedy=REMEDY)
    if not isinstance(config, dict) or "model_type" not in config:
        raise CgdmerError(f"{path} names no model_type, so it is not the config of a Hugging Face text model")
    if not isinstance(config["model_type"], str) or config["model_type"] not in FAMILIES:
        raise CgdmerError(
            f'{path} describes the architecture "{config["model_type"]}", which has no text encoder here; '
            f"name a model of the architecture {', '.join(sorted(FAMILIES))}"
        )
    return config


def text_module(config: dict, path: Path) -> TextModule:
    """The encoder that `config` describes; a BERT type with a pooler, whether or not its weights bring one."""
    return FAMILIES[config["model_type"]](config, path)


def _bert(config: dict, path: Path) -> BertEncoder:
    config = _BERT_UNSAID | config
    n_positions = _value(config, "max_position_embeddings", path, BertSizes, "max_tokens")
    return BertEncoder(**_bert_fields(config, path), max_tokens=n_positions)


def _roberta(config: dict, path: Path) -> BertEncoder:
    config = _ROBERTA_UNSAID | config
    if config["pad_token_id"] is None:
        raise CgdmerError(f"{path}: pad_token_id is null, expected the id that positions count from; {REMEDY}")
    first = _value(config, "pad_token_id", path, BertSizes, "counted_from")
    n_positions = _value(config, "max_position_embeddings", path, BertSizes, "max_tokens")
    if n_positions < first + 2:
        raise CgdmerError(
            f"{path}: max_position_embeddings is {n_positions}, expected a whole number of at least {first + 2}, since "
            f"positions count from pad_token_id {first}; {REMEDY}"
        )
    return BertEncoder(**_bert_fields(config, path), max_tokens=n_positions - first - 1, counted_from=first)


def _bert_fields(config: dict, path: Path) -> dict:
    if config["is_decoder"]:
        raise CgdmerError(f"{path} describes a decoder (is_decoder); name an encoder")
    if config["position_embedding_type"] != "absolute":
        raise CgdmerError(
            f'{path} has position_embedding_type "{config["position_embedding_type"]}"; only "absolute" is known here'
        )
    fields = {name: _value(config, theirs, path, BertSizes, name) for name, theirs in _BERT_NAMES.items()}
    if fields["width"] % fields["heads"]:
        raise CgdmerError(
            f"{path} has hidden_size {fields['width']}, no multiple of its num_attention_heads {fields['heads']}"
        )
    return fields | {"epsilon": float(fields["epsilon"])}


def _t5(config: dict, path: Path) -> T5Encoder:
    config = _T5_UNSAID | config
    *gated, activation = str(config["feed_forward_proj"]).split("-")
    if gated not in ([], ["gated"]):
        raise CgdmerError(f'{path} has feed_forward_proj "{config["feed_forward_proj"]}"; known: NAME and gated-NAME')
    if gated and activation == "gelu":  # v1.1 and Flan write "gated-gelu" for the tanh form they were trained with
        activation = "gelu_new"
    check_field(T5Sizes, "activation", activation, f"{path}: the activation of feed_forward_proj", remedy=REMEDY)
    fields = {name: _value(config, theirs, path, T5Sizes, name) for name, theirs in _T5_NAMES.items()}
    fields |= {"activation": activation, "gated": bool(gated), "epsilon": float(fields["epsilon"])}
    if fault := T5Sizes(**fields).fault():
        raise CgdmerError(f"{path} {fault}; {REMEDY}")
    return T5Encoder(**fields)


def _value(config: dict, theirs: str, path: Path, kind: type, name: str):
    """The value under their name, which must be one that our field may have."""
    if theirs not in config:
        raise CgdmerError(f"{path} lacks {theirs}; {REMEDY}")
    check_field(kind, name, config[theirs], f"{path}: {theirs}", remedy=REMEDY)
    return config[theirs]


FAMILIES: dict[str, Callable[[dict, Path], TextModule]] = {
    "bert": _bert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "t5": _t5,
}
