"""A Hugging Face config.json as one of our text encoders; what we have not proven equal is refused by name."""

from collections.abc import Callable
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.json_file import read_json
from cgdmer_jax.models.text.bert import BertEncoder
from cgdmer_jax.models.text.states import ACTIVATIONS
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
_T5_UNSAID = {"feed_forward_proj": "relu", "layer_norm_epsilon": 1e-6, "relative_attention_max_distance": 128}


def read_text_config(path: Path) -> dict:
    """The file, its `model_type` one of FAMILIES."""
    config = read_json(path, remedy="copy it again from where the model comes from")
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
    return BertEncoder(**_bert_fields(config, path), max_tokens=_count(config, "max_position_embeddings", path))


def _roberta(config: dict, path: Path) -> BertEncoder:
    config = _ROBERTA_UNSAID | config
    first = _count(config, "pad_token_id", path, least=0)
    n_positions = _count(config, "max_position_embeddings", path, least=first + 2)
    return BertEncoder(**_bert_fields(config, path), max_tokens=n_positions - first - 1, counted_from=first)


def _bert_fields(config: dict, path: Path) -> dict:
    if config["is_decoder"]:
        raise CgdmerError(f"{path} describes a decoder (is_decoder); name an encoder")
    if config["position_embedding_type"] != "absolute":
        raise CgdmerError(
            f'{path} has position_embedding_type "{config["position_embedding_type"]}"; only "absolute" is known here'
        )
    width, heads = _count(config, "hidden_size", path), _count(config, "num_attention_heads", path)
    if width % heads:
        raise CgdmerError(f"{path} has hidden_size {width}, no multiple of its num_attention_heads {heads}")
    return {
        "vocabulary": _count(config, "vocab_size", path),
        "token_types": _count(config, "type_vocab_size", path),
        "width": width,
        "depth": _count(config, "num_hidden_layers", path),
        "heads": heads,
        "hidden": _count(config, "intermediate_size", path),
        "activation": _activation(config["hidden_act"], path),
        "epsilon": _epsilon(config, "layer_norm_eps", path),
    }


def _t5(config: dict, path: Path) -> T5Encoder:
    config = _T5_UNSAID | config
    *gated, activation = str(config["feed_forward_proj"]).split("-")
    if gated not in ([], ["gated"]):
        raise CgdmerError(f'{path} has feed_forward_proj "{config["feed_forward_proj"]}"; known: NAME and gated-NAME')
    if gated and activation == "gelu":  # v1.1 and Flan write "gated-gelu" for the tanh form they were trained with
        activation = "gelu_new"
    return T5Encoder(
        vocabulary=_count(config, "vocab_size", path),
        width=_count(config, "d_model", path),
        depth=_count(config, "num_layers", path),
        heads=_count(config, "num_heads", path),
        head_width=_count(config, "d_kv", path),
        hidden=_count(config, "d_ff", path),
        activation=_activation(activation, path),
        gated=bool(gated),
        buckets=_count(config, "relative_attention_num_buckets", path, least=4),
        max_distance=_count(config, "relative_attention_max_distance", path),
        epsilon=_epsilon(config, "layer_norm_epsilon", path),
    )


def _count(config: dict, name: str, path: Path, least: int = 1) -> int:
    if name not in config:
        raise CgdmerError(f"{path} lacks {name}; copy it again from where the model comes from")
    value = config[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CgdmerError(f"{path} has {name} {value!r}; a whole number from {least} on belongs there")
    return value


def _epsilon(config: dict, name: str, path: Path) -> float:
    value = config[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1:
        raise CgdmerError(f"{path} has {name} {value!r}; a number above 0 and below 1 belongs there, as 1e-12")
    return float(value)


def _activation(name: object, path: Path) -> str:
    if not isinstance(name, str) or name not in ACTIVATIONS:
        more = suggest(str(name), ACTIVATIONS)
        raise CgdmerError(f'{path} has the activation "{name}", which is not known here.{more}')
    return name


FAMILIES: dict[str, Callable[[dict, Path], TextModule]] = {
    "bert": _bert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "t5": _t5,
}
