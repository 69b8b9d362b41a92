"""Training records per second with a frozen text encoder: its vectors cached, run in the step, or run in torch.

Three ways to align the same ECG encoder (nano's) with the same reports, taken in turn within one run, so that what
else the machine does meets all of them; the ratios are what counts.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.batch import Batch
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import TextTower, load_text_encoder
from cgdmer_jax.methods.losses import contrastive
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.models.dense import Dense
from cgdmer_jax.models.ecg.scaling import scale
from cgdmer_jax.models.ecg.vit import EcgVit, patchify
from cgdmer_jax.models.heads import masked_mean, unit
from cgdmer_jax.models.masking.slots import all_valid, valid_tokens
from cgdmer_jax.models.text.tower import pool
from cgdmer_jax.models.transformer import Compute, Size
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.text_vectors import vectors_of
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer
from cgdmer_jax.training.state import start
from cgdmer_jax.training.step import make_step
from configs import cgdmer

EXAMPLE = "python -m benchmarks.frozen_tower --store=stores/ptbxl100 --text=minilm --out=results/frozen-tower.json"
VECTORS = "text_vectors"
KEY = jax.random.key(0)


class Network(nn.Module):
    """ECG encoder and one linear map a modality onto the unit sphere."""

    ecg: EcgVit
    embedding: int

    @nn.compact
    def __call__(self, patches, slots, vectors):
        pooled = masked_mean(self.ecg(patches, slots), slots.live())
        return unit(Dense(self.embedding, name="of_ecg")(pooled)), unit(Dense(self.embedding, name="of_text")(vectors))


@dataclass(frozen=True)
class Aligned:
    """The parts of a method that a training step needs; with `tower` None the batch brings the vectors."""

    network: Network
    patch_samples: int
    tower: TextTower | None
    declared = Declared(recordings=False, text=False)  # it is trained, and used for nothing

    def init(self, key, batch: Batch) -> Variables:
        return Variables({"own": self.network.init(key, *self._ecg(batch), batch.text_columns[VECTORS])["params"]}, {})

    def draw(self, key, batch: Batch, progress):
        return ()

    def loss(self, variables: Variables, batch: Batch, draws, *, train: bool):
        if self.tower is None:
            vectors = batch.text_columns[VECTORS]
        else:
            length = batch.token_mask.sum(1, dtype=jnp.int32)
            params = jax.lax.stop_gradient(variables.params["text_tower"])
            vectors = pool(self.tower.module.apply({"params": params}, batch.tokens, length), length, "mean")
        points = self.network.apply({"params": variables.params["own"]}, *self._ecg(batch), vectors)
        pairs = contrastive.pair_up(batch.text_id, None, same_text="ignored")
        loss = contrastive.info_nce(*points, pairs, jnp.float32(0.07))
        return loss, Aux(variables.state, {})

    def _ecg(self, batch: Batch):
        n_patches = batch.signal.shape[2] // self.patch_samples
        scaled = scale(batch.signal, batch.lead_mask, batch.length, "record_std")
        valid = valid_tokens(batch.lead_mask, batch.length, n_patches, self.patch_samples)
        return patchify(scaled.signal, self.patch_samples), all_valid(valid)


def torch_vectors(folder: str) -> Callable[[Batch], Batch]:
    """Batch -> the same with the vectors of transformers and torch, its reports padded to the longest of them."""
    try:
        import torch
    except ImportError as error:
        raise CgdmerError("one of the three ways runs in torch; install it: pip install -e '.[torch]'") from error
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()

    def with_vectors(batch: Batch) -> Batch:
        width = max(1, int(batch.token_mask.sum(1).max()))
        mask = torch.from_numpy(batch.token_mask[:, :width])
        with torch.no_grad():
            tokens = torch.from_numpy(batch.tokens[:, :width]).long()
            states = model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        weight = mask[..., None].float()
        mean = (states * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return batch._replace(text_columns={VECTORS: mean.numpy()})

    return with_vectors


def measure(
    store: str, text: str, *, batch_size: int, steps: int, repeats: int, max_tokens: int, zeros: bool
) -> list[dict]:
    """A row for each way, and one for each ratio (median, lowest and highest over the repeats).

    `zeros`: the cached vectors are zeros, so that nothing is encoded beforehand.
    """
    corpus, tower = open_corpus([store]), load_text_encoder(text)
    tokens, mask, _ = encode(tower.tokenizer, corpus.texts, max_tokens)
    begun = time.perf_counter()
    vectors = np.zeros((len(corpus.texts), tower.facts.width), np.float32)
    if not zeros:
        vectors, _ = vectors_of(tower, corpus.texts, "mean", max_tokens)
    encoding = {"distinct_texts": len(corpus.texts), "encoded_once_in_seconds": round(time.perf_counter() - begun, 1)}
    loader = Loader(
        corpus, corpus.lines("train"), tokens, mask, {VECTORS: vectors}, batch_size=batch_size, seed=0
    )  # every way is given the vectors; only `cached` reads them from here
    ways = {
        "cached": (None, lambda batch: batch),
        "in the step": (tower, lambda batch: batch),
        "torch": (None, torch_vectors(text)),
    }
    runs = {name: _run(loader, of, prepared) for name, (of, prepared) in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):  # the first one compiles
        for name, run in runs.items():
            begun = time.perf_counter()
            run(steps)
            if repeat:
                seconds[name].append(time.perf_counter() - begun)
    common = {"batch_size": batch_size, "steps": steps, "repeats": repeats, "max_tokens": max_tokens}
    common |= {"text": Path(text).name, "device": str(jax.devices()[0])}
    rows = [
        {"way": name, "records_per_second": round(steps * batch_size / statistics.median(took), 1)} | common
        for name, took in seconds.items()
    ]
    rows[0] |= encoding
    for name in ("in the step", "torch"):
        ratios = [slow / fast for slow, fast in zip(seconds[name], seconds["cached"], strict=True)]
        row = {"ratio": f"cached over {name}", "median": statistics.median(ratios)}
        rows.append(row | {"lowest": min(ratios), "highest": max(ratios)} | common)
    return rows


def _run(loader: Loader, tower: TextTower | None, prepared: Callable[[Batch], Batch]) -> Callable[[int], None]:
    """A function that trains on so many further batches, and waits for the last one."""
    config = cgdmer.get_config("nano")
    size, corpus = config.method.ecg, loader.corpus
    patch_samples = round(config.method.patch_seconds * corpus.rate)
    grid = (corpus.lead_mask.shape[1], corpus.n_samples // patch_samples)
    ecg = EcgVit(*grid, patch_samples, "linear", Size(**size.to_dict()), Compute(unroll=size.depth))
    method = Aligned(Network(ecg, config.method.embed_dim), patch_samples, tower)
    fields = config.optimizer.to_dict() | {"rate_factors": () if tower is None else (("^text_tower/", 0.0),)}
    optimizer_config = OptimizerConfig(**fields)
    variables = jax.jit(method.init)(KEY, loader.batch(0))
    if tower is not None:
        variables.params["text_tower"] = jax.device_put(tower.params)
    optimizer = make_optimizer(optimizer_config, variables.params)
    step = make_step(method, optimizer, KEY, optimizer_config.steps)
    state, done = start(variables, optimizer), 0

    def run(steps: int) -> None:
        nonlocal state, done
        batches: Iterator[Batch] = loader.prefetch(done, done + steps)
        for batch in batches:
            state, metrics = step(state, prepared(batch))
        done += steps
        if not np.isfinite(jax.block_until_ready(metrics["loss"])):
            raise CgdmerError("the loss is not finite; this measures nothing")

    return run


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--store", type=path_arguments.names, required=True, help="a converted store")
    parser.add_argument(
        "--text", type=path_arguments.names, required=True, help="folder of the text encoder (docs/text_encoders.md)"
    )
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20, help="of each way, each time (default 20)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of all three (default 5)")
    parser.add_argument("--max_tokens", type=int, default=64, help="longer reports are cut (default 64)")
    parser.add_argument("--smoke", action="store_true", help="two steps of eight records, once: does it run?")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args = parser.parse_args(words)
    size = {"batch_size": args.batch_size, "steps": args.steps, "repeats": args.repeats}
    if args.smoke:
        size = {"batch_size": 8, "steps": 2, "repeats": 1}
    rows = measure(args.store, args.text, **size, max_tokens=args.max_tokens, zeros=args.smoke)
    for row in rows:
        if "way" in row:
            print(f"{row['way']:12} {row['records_per_second']:8.1f} records/s")
        else:
            print(f"{row['ratio']}: {row['median']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})")
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
