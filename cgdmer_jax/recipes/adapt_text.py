"""Masked-language modelling that adapts a pretrained text encoder to the reports."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader, sequential_batches, shuffled
from cgdmer_jax.data.report_texts import N_LEADS, ReportTexts, of_corpus, of_table
from cgdmer_jax.data.text.tokenizer import encode, load_tokenizer
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import from_fields
from cgdmer_jax.interop.huggingface import TextTower
from cgdmer_jax.interop.text_architecture import weights_sha256
from cgdmer_jax.interop.text_folder import read_origin, save_text_encoder
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.masked_text import MaskedText
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.models.text.tower import NAME, join_blocks, make_tower
from cgdmer_jax.models.transformer import Compute
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.config_fields import check_fields, check_method
from cgdmer_jax.recipes.pretrained_text import with_architecture, with_tower
from cgdmer_jax.recipes.training_run import TrainingSetup, first_state, train_in
from cgdmer_jax.recipes.utilisation import share_a_record
from cgdmer_jax.short_paths import short, short_fields
from cgdmer_jax.training import loop, sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_folder import RunFolder

CONFIG = "configs/masked_text.py"
FIGURES = "adaptation.json"
MOST_LOSS = 700.0  # nats a word; no float holds the perplexity of more


def adapt_text(config: ConfigDict, workdir: Path, out: Path) -> int:
    """Trains to the end or to a stop signal; then writes the figures and the adapted encoder. The exit code."""
    config = check_fields(config)
    run = RunFolder(workdir)
    check_out(out, run)
    config, tower = with_architecture(config, run)
    mesh = sharding.make_mesh(tuple(config.run.mesh))
    sharding.check_batch_size(config.data.batch_size, mesh)
    reports = read_reports(config)
    with config.unlocked():
        config.data.reports_sha256 = reports.fingerprint  # a run goes on with the same reports only
    run.check(config.to_dict(), ())
    check_method(config)
    tokenizer = load_tokenizer(run.checked_tokenizer()) if tower is None else tower.tokenizer
    parts = make_parts(config, run, reports, tokenizer, tower, mesh)
    state, code = train_in(run, config, parts, allowed=(), mesh=mesh)
    if code != loop.DONE:
        return code
    figures = perplexities(run, reports)
    write_figures(workdir / FIGURES, figures)
    for row in figures:
        print(f"held-out perplexity {row['when']}: {row['perplexity']:.2f} (step {row['step']})")
    write_tower(out, config, state.variables, tokenizer, run)
    print(f"{out}: the adapted encoder, for --config.method.text_tower={out}")
    return code


def check_out(out: Path, run: RunFolder) -> None:
    """Refuses, before anything is trained, a folder that holds anything but this run's encoder."""
    if not out.exists():
        return
    before = read_origin(out)
    if before is None or Path(str(before.get("run"))).name != run.path.name:
        raise CgdmerError(f"--out={out} exists already; name a new folder, nothing is written over")


def read_reports(config: ConfigDict) -> ReportTexts:
    """Reports of the stores, or of a table alone."""
    if config.data.reports:
        return of_table(Path(config.data.reports), config.data.source)
    corpus = open_corpus(tuple(config.data.stores))
    build.check_cleaning(corpus)
    return of_corpus(corpus)


def make_parts(
    config: ConfigDict, run: RunFolder, reports: ReportTexts, tokenizer: Tokenizer, tower: TextTower | None, mesh
) -> TrainingSetup:
    """Method, batches, validation and first state; a new run's figures before training too."""
    max_tokens = config.data.max_tokens
    method = make_method(
        config.method_name,
        config.method.to_dict(),
        n_leads=N_LEADS,
        n_samples=0,
        rate=0,
        **build.of_tokenizer(tokenizer),
        max_tokens=max_tokens,
    )
    tokens, mask, n_cut = encode(tokenizer, reports.texts, max_tokens)
    loader = Loader(
        reports, reports.training, tokens, mask, batch_size=config.data.batch_size, seed=config.seed,
        process_index=jax.process_index(), process_count=jax.process_count(),
    )  # fmt: skip
    print(
        f"{len(reports.training)} distinct training reports, {loader.steps_per_epoch} steps an epoch; "
        f"{len(reports.held_out)} held out; {n_cut} of all cut at {max_tokens} tokens"
    )
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    key = jax.random.key(config.seed)
    state, optimizer = first_state(method, optimizer_config, loader.batch(0), key, mesh)
    validate = make_validation(method, config, reports, tokens, mask)
    before = {}
    if tower is not None and not Checkpoints(run.checkpoints, keep_last=1).steps():
        state = with_tower(state, tower)
        before = {f"validation_{name}": value for name, value in validate(state.variables).items()}
    return TrainingSetup(
        method,
        state,
        optimizer,
        optimizer_config,
        key,
        batches=loader.prefetch,
        validate=validate,
        diagnose=lambda variables: {},
        contract=None,
        tokenizer=tokenizer,
        share_a_record=share_a_record(method, state.variables, loader.batch(0), key),
        given_weights=True,
        before=before,
    )


def make_validation(method: MaskedText, config: ConfigDict, reports: ReportTexts, tokens, mask):
    """variables -> mean loss of the same hidden words of the same held-out reports, each word counted once."""
    n = config.run.validation_records
    lines = reports.held_out[shuffled(len(reports.held_out), "validation")[:n]]

    @jax.jit
    def measure(variables: Variables, batch, key):
        draws = method.draw(key, batch, jnp.float32(1))
        n_words = draws.slots.length.sum()
        return method.loss(variables, batch, draws, train=False)[0] * n_words, n_words

    def validate(variables: Variables) -> dict[str, float]:
        total, words, key = 0.0, 0, jax.random.key(config.seed + 1)
        for number, (batch, n_real) in enumerate(
            sequential_batches(reports, lines, tokens, mask, config.data.batch_size)
        ):
            batch.token_mask[n_real:] = False  # the last batch repeats a report: nothing of it is hidden
            loss, n_words = measure(variables, batch, jax.random.fold_in(key, number))
            total, words = total + float(loss), words + int(n_words)
        if words == 0:
            raise CgdmerError("the held-out reports have no word to hide; give others")
        return {"loss": total / words}

    return validate


def perplexities(run: RunFolder, reports: ReportTexts) -> list[dict]:
    """Perplexities at the first and the last validation in metrics.jsonl."""
    found = [record for record in read_metrics(run.metrics) if record.get("validation_loss") is not None]
    if not found:
        raise CgdmerError(f"{run.metrics} has no validation_loss, from which the perplexity is computed; restore it")
    rows = []
    for when, record in (("before", found[0]), ("after", found[-1])):
        loss = record["validation_loss"]
        row = {"when": when, "step": record["step"], "loss": loss, "perplexity": math.exp(min(loss, MOST_LOSS))}
        rows.append(row | {"n_training": len(reports.training), "n_held_out": len(reports.held_out)})
    return rows


def write_tower(out: Path, config: ConfigDict, variables: Variables, tokenizer: Tokenizer, run: RunFolder) -> None:
    """The encoder alone, without the head; the same one is not written twice."""
    params = join_blocks(jax.device_get(variables.params[NAME]))
    origin = {
        "adapted_from": short(config.method.text_tower),
        "weights_sha256_before": config.method.text_architecture["weights_sha256"],
        "weights_sha256": weights_sha256(params),
        "reports_sha256": config.data.reports_sha256,
        "run": run.path.name,
        "steps": config.optimizer.steps,
    }
    before = read_origin(out)
    if before is not None and short_fields(before) == origin:  # an older one may hold a whole path
        return
    module = make_tower(config.method.text_architecture.to_dict(), trained=-1, compute=Compute())
    save_text_encoder(out, module, params, tokenizer, origin)
