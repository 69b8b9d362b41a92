"""Pretrained text encoders of the Hugging Face hub: config.json, tokenizer.json and weights, without torch."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from cgdmer_jax.data.text.special_tokens import PADDING, first_id
from cgdmer_jax.data.text.tokenizer import read_tokenizer
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.hub import FORM, is_hub_address, local_folder, snapshot
from cgdmer_jax.interop.text_config import TextModule, read_text_config
from cgdmer_jax.interop.text_folder import read_origin
from cgdmer_jax.interop.text_parameters import text_parameters
from cgdmer_jax.interop.text_tensors import INDEX, WEIGHTS, open_tensors
from cgdmer_jax.models.text.bert import BertEncoder

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
NEEDED = f"{CONFIG}, {TOKENIZER} and {WEIGHTS} (or its parts with {INDEX})"
PATTERNS = (CONFIG, TOKENIZER, WEIGHTS, INDEX, "model-*-of-*.safetensors")
MASK_TOKENS = ("[MASK]", "<mask>")
# Embeddings without a token: published models round their rows up to a multiple of 64 or 128 (T5: 28, e5: 35 spare).
MOST_SPARE = 128


@dataclass(frozen=True)
class TextFacts:
    """Facts that a caller needs to feed the encoder."""

    family: str  # model_type of the config
    width: int  # of a token's last hidden state
    vocabulary: int  # rows of the token embeddings; the tokenizer may use fewer
    max_tokens: int | None  # the longest text; None = no limit (T5)
    pad_id: int
    mask_id: int | None  # None where the tokenizer has no mask token (T5)
    weights: str  # name of the file that lists the tensors
    left_out: tuple[str, ...]  # tensors of the checkpoint that an encoder has no use for


@dataclass(frozen=True)
class TextTower:
    """A text encoder and its weights: `module.apply({"params": params}, tokens, length)` encodes.

    `module.clone(compute=Compute("bfloat16"))` computes in that dtype.
    """

    module: TextModule
    params: dict  # float32, blocks stacked on axis 0
    tokenizer: Tokenizer  # neither pads nor cuts
    facts: TextFacts


def load_text_encoder(name: str | Path) -> TextTower:
    """A folder with the model's files, or hf://owner/name@revision; refuses what does not fit exactly."""
    folder = _resolve(name)
    for name in (CONFIG, TOKENIZER):
        if not (folder / name).is_file():
            raise CgdmerError(f"{folder} has no {name}, so no text encoder can be read from it; place there {NEEDED}")
    read_origin(folder)
    config = read_text_config(folder / CONFIG)
    tokenizer = read_tokenizer(folder / TOKENIZER)
    file, tensors = open_tensors(folder)
    module, params, left_out = text_parameters(config, folder / CONFIG, file, tensors)
    _check_vocabulary(folder, tokenizer, module, file)
    facts = TextFacts(
        family=config["model_type"],
        width=module.width,
        vocabulary=module.vocabulary,
        max_tokens=module.max_tokens if isinstance(module, BertEncoder) else None,
        pad_id=_pad_id(folder, tokenizer, module),
        mask_id=first_id(tokenizer, MASK_TOKENS),
        weights=file.name,
        left_out=left_out,
    )
    return TextTower(module, params, tokenizer, facts)


def _resolve(name: str | Path) -> Path:
    if is_hub_address(name):
        return snapshot(name, patterns=PATTERNS, needed=NEEDED)
    return local_folder(name, f"there is no folder {name}; name one that holds {NEEDED}, or {FORM}")


def _check_vocabulary(folder: Path, tokenizer: Tokenizer, module: TextModule, weights: Path) -> None:
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    token, number = max(vocabulary.items(), key=lambda item: item[1])
    remedy = f"take {TOKENIZER} from the same model as {CONFIG} and the weights"
    if number >= module.vocabulary:
        raise CgdmerError(
            f'{folder / TOKENIZER} has the token "{token}" with id {number}, but the weights have embeddings for ids '
            f"0 to {module.vocabulary - 1}; {remedy}"
        )
    n_tokens = len(set(vocabulary.values()))
    if module.vocabulary - n_tokens > MOST_SPARE:
        raise CgdmerError(
            f"{folder / TOKENIZER} has {n_tokens} tokens, but {weights} has embeddings for {module.vocabulary}, more "
            f"than {MOST_SPARE} too many, so they belong to different models; {remedy}"
        )


def _pad_id(folder: Path, tokenizer: Tokenizer, module: TextModule) -> int:
    number = first_id(tokenizer, PADDING)
    if number is None:
        raise CgdmerError(f"{folder / TOKENIZER} has none of the tokens {', '.join(PADDING)}; texts cannot be padded")
    if isinstance(module, BertEncoder) and module.counted_from not in (None, number):
        raise CgdmerError(
            f"{folder / TOKENIZER} pads with id {number}, {folder / CONFIG} counts positions from pad_token_id "
            f"{module.counted_from}; take both files from the same model"
        )
    return number
