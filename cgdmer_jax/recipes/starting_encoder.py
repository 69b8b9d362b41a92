"""The pretrained encoder that fine-tuning starts from: a run folder, or an exported model."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from cgdmer_jax.contract import InputContract
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import content_sha256, read_model
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.recipes.trained_run import load_run


@dataclass(frozen=True)
class StartingEncoder:
    """A method with weights, and the input that it was trained on."""

    name: str
    fields: dict  # of the method's config
    variables: Variables
    contract: InputContract
    tokenizer: Tokenizer
    max_tokens: int
    sha256: str  # of what it was read from: the checkpoint's manifest, or config.json of the model folder


def encoder_of_run(run: Path) -> StartingEncoder:
    """The last checkpoint of a run."""
    found = load_run(run, None)
    _check_pretrained(found.config.method_name, f"--run={run}")
    return StartingEncoder(
        found.config.method_name,
        found.config.method.to_dict(),
        found.variables,
        found.contract,
        found.tokenizer,
        found.config.data.max_tokens,
        found.checkpoint,
    )


def encoder_of_model(model: str) -> StartingEncoder:
    """A model folder, or hf://owner/name@revision."""
    found = read_model(model)
    _check_pretrained(found.method_name, f"--model={model}")
    return StartingEncoder(
        found.method_name,
        found.method_fields,
        found.variables,
        found.contract,
        found.tokenizer,
        found.max_tokens,
        content_sha256(model),
    )


def _check_pretrained(method_name: str, given: str) -> None:
    if method_name in ("finetune", "delineate"):
        how = "was fine-tuned itself" if method_name == "finetune" else "delineates and gives no features"
        raise CgdmerError(f"{given} {how}; give the pretrained run or model that it started from")
