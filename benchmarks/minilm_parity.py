"""Prints how far all-MiniLM-L6-v2 read by cgdmer_jax is from transformers, on real reports of PTB-XL's table."""

import csv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32
from tqdm import tqdm

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import TextTower, load_text_encoder
from cgdmer_jax.models.text.states import mean_of_tokens
from cgdmer_jax.provenance import write_figures

EXAMPLE = (
    "python -m benchmarks.minilm_parity --folder=minilm --table=ptbxl_database.csv --out=results/minilm_parity.json"
)
N_REPORTS = 200
AT_ONCE = 20


def choose_reports(table: Path, n: int = N_REPORTS) -> list[str]:
    """n distinct cleaned reports, evenly spread over the sorted ones: every language and length."""
    with table.open(encoding="utf-8", newline="") as file:
        texts = sorted({text for row in csv.DictReader(file) if (text := clean(row["report"], "ptbxl"))})
    return [texts[i] for i in np.linspace(0, len(texts) - 1, n).round().astype(int)]


def measure(folder: Path, texts: Sequence[str]) -> list[dict]:
    """Largest difference for each quantity, absolute and over the root mean square of transformers' values."""
    ours, theirs = _ours(load_text_encoder(folder), texts), _theirs(folder, texts)
    rows = [{"quantity": "texts with other token ids", "n": len(texts), "value": _n_other(ours, theirs)}]
    for name, expected in theirs.items():
        if name != "ids":
            error = max(float(np.abs(a - b).max()) for a, b in zip(ours[name], expected, strict=True))
            scale = float(np.sqrt(np.mean(np.concatenate([x.ravel() for x in expected]) ** 2)))
            rows.append({"quantity": name, "n": len(texts), "value": error, "relative": error / scale})
    return rows


def _n_other(ours: dict[str, list], theirs: dict[str, list]) -> int:
    return sum(a != b for a, b in zip(ours["ids"], theirs["ids"], strict=True))


def _padded(ids: list[list[int]], pad_id: int) -> tuple[Int32[np.ndarray, "text token"], Int32[np.ndarray, "text"]]:
    length = np.array([len(each) for each in ids], np.int32)
    tokens = np.full((len(ids), length.max()), pad_id, np.int32)
    for row, each in enumerate(ids):
        tokens[row, : len(each)] = each
    return tokens, length


def _ours(tower: TextTower, texts: Sequence[str]) -> dict[str, list]:
    ids = [encoding.ids for encoding in tower.tokenizer.encode_batch_fast(list(texts))]
    tokens, length = _padded(ids, tower.facts.pad_id)  # one width: one compilation

    @jax.jit
    def encode(params, tokens, length):
        states = tower.module.apply({"params": params}, tokens, length)
        return states.tokens, states.pooled, _unit(mean_of_tokens(states.tokens, length))

    found = {"ids": ids, "last hidden state": [], "pooler": [], "mean-pooled unit embedding": []}
    params = jax.device_put(tower.params)
    for first in tqdm(range(0, len(texts), AT_ONCE), desc="cgdmer_jax", disable=None):
        part = slice(first, first + AT_ONCE)
        hidden, pooled, mean = encode(params, tokens[part], length[part])
        found["last hidden state"] += [np.asarray(x)[:n] for x, n in zip(hidden, length[part], strict=True)]
        found["pooler"] += list(np.asarray(pooled))
        found["mean-pooled unit embedding"] += list(np.asarray(mean))
    return found


def _unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def _theirs(folder: Path, texts: Sequence[str]) -> dict[str, list[Float[np.ndarray, "..."]]]:
    """transformers' values; the embedding as the model card of all-MiniLM-L6-v2 computes it."""
    try:
        import torch
    except ImportError as error:
        raise CgdmerError(
            "the comparison runs the model in torch too; install it: pip install -e '.[torch]'"
        ) from error
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = {"ids": [], "last hidden state": [], "pooler": [], "mean-pooled unit embedding": []}
    for first in tqdm(range(0, len(texts), AT_ONCE), desc="transformers", disable=None):
        part = tokenizer(list(texts[first : first + AT_ONCE]), padding=True, return_tensors="pt")
        with torch.no_grad():
            output = model(**part)
        mask = part["attention_mask"]
        for row, n in enumerate(mask.sum(1).tolist()):
            found["ids"].append(part["input_ids"][row, :n].tolist())
            found["last hidden state"].append(output.last_hidden_state[row, :n].numpy())
        weight = mask[..., None].float()
        mean = (output.last_hidden_state * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        found["pooler"] += list(output.pooler_output.numpy())
        found["mean-pooled unit embedding"] += list(torch.nn.functional.normalize(mean, dim=1).numpy())
    return found


def main(words: list[str]) -> None:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--folder", type=path_arguments.path, required=True, help="of all-MiniLM-L6-v2 (docs/text_encoders.md)"
    )
    parser.add_argument("--table", type=path_arguments.path, required=True, help="ptbxl_database.csv")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file for the rows")
    args = parser.parse_args(words)
    if not args.table.is_file():
        raise CgdmerError(f"there is no file {args.table}; name PTB-XL's ptbxl_database.csv")
    rows = measure(args.folder, choose_reports(args.table))
    for row in rows:
        print(
            "  ".join(
                f"{key}: {value:.3g}" if isinstance(value, float) else f"{key}: {value}" for key, value in row.items()
            )
        )
    if args.out:
        versions = {name: metadata.version(name) for name in ("torch", "transformers", "safetensors")}
        write_figures(args.out, [*rows, {"quantity": "versions of the comparison"} | versions])


if __name__ == "__main__":
    cli.run(main)
