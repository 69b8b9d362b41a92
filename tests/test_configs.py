"""Every config file and size makes a method and an optimiser, and trains two steps."""

import importlib
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.config import from_fields, load_config
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.asked_entities import with_entities
from cgdmer_jax.recipes.pretrain import make_loader
from cgdmer_jax.recipes.pretrained_text import tower_name, with_architecture
from cgdmer_jax.recipes.text_columns import with_columns
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer, rate_factor
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.state import NEVER, start
from cgdmer_jax.training.step import make_step
from configs import merl
from tests.data.small_stores import write_store
from tests.interop.tower_folder import write_tower

ROOT = Path(__file__).parents[1]


TEXT_ALONE = "configs/masked_text.py"  # reads no recordings: tests/recipes/test_adapt_text.py trains it
FINETUNE = "configs/finetune.py"  # needs an encoder: tests/recipes/test_finetune.py trains it


def specs() -> list[str]:
    """Every configs/FILE.py:SIZE that pretrains on recordings; a file without sizes is its own only one."""
    found = []
    for path in sorted((ROOT / "configs").glob("*.py")):
        module = importlib.import_module(f"configs.{path.stem}")
        if hasattr(module, "PRESETS"):
            first, *others = module.SIZES
            found += [f"configs/{path.name}:{first},{preset}" for preset in module.PRESETS]
            found += [f"configs/{path.name}:{size}" for size in others]
            found += [f"configs/{path.name}:nano,{preset}" for preset in getattr(module, "NANO_PRESETS", ()) if preset]
        elif hasattr(module, "SIZES"):
            found += [f"configs/{path.name}:{size}" for size in module.SIZES]
        elif hasattr(module, "get_config"):
            found.append(f"configs/{path.name}")
    return [spec for spec in found if spec not in (TEXT_ALONE, FINETUNE)]


def parts_of(spec: str, corpus: Corpus, folder: Path, overrides: Sequence[str] = ()):
    """Config, tokenizer, contract and method; a pretrained text encoder is replaced by a small one in the folder."""
    config = load_config(spec, list(overrides))
    if tower_name(config):
        config.method.text_tower = str(write_tower(folder / "bert", corpus.texts))
        config.method.text_trained = min(config.method.text_trained, 1)  # it has two blocks
    config, tower = with_architecture(config, RunFolder(folder / "run"))
    tokenizer = tower.tokenizer if tower else build.make_tokenizer(config, corpus)
    config = with_entities(config, corpus, tokenizer)
    contract = build.make_contract(corpus, tokenizer, config.method.scaling)
    return config, tokenizer, contract, build.make_method(config, contract, tokenizer)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    words = "sinus rhythm left bundle branch block atrial fibrillation old infarction normal axis".split()
    reports = [" ".join(words[row % 7 : row % 7 + 5]) for row in range(20)]
    return open_corpus([write_store(tmp_path_factory.mktemp("configs") / "s", reports)])


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_files_that_are_tested_are_all_there_are():
    assert specs() == [
        *(f"configs/cgdmer.py:{size}" for size in ("quickstart", "nano", "tiny", "small", "base", "minilm")),
        *(f"configs/cmelt.py:{size}" for size in ("nano,right", "nano,literal", "tiny", "base")),
        *(f"configs/kmerl.py:{size}" for size in ("nano,few_leads", "nano,most_leads", "tiny", "small", "base")),
        *(f"configs/merl.py:resnet18,{preset}" for preset in ("released", "paper", "lead_dropout")),
        *(f"configs/merl.py:{size}" for size in ("resnet34", "resnet50", "vit_tiny", "vit_small", "vit_middle")),
        *(f"configs/merl.py:{size}" for size in ("vit_base", "nano", "nano,lead_dropout")),
        "configs/quickstart.py",
    ]


@pytest.mark.parametrize("spec", specs())
def test_every_size_as_it_is_makes_a_method_and_an_optimiser(spec, corpus, tmp_path):
    config, _, contract, method = parts_of(spec, corpus, tmp_path)
    max_tokens = min(config.data.max_tokens, 10) if tower_name(config) else config.data.max_tokens
    batch = build.blank_batch_of(config.data.batch_size, contract, max_tokens)
    shapes = jax.eval_shape(method.init, jax.random.key(0), batch)
    optimizer = from_fields(OptimizerConfig, config.optimizer.to_dict())
    jax.eval_shape(make_optimizer(optimizer, shapes.params, method.declared.rate_factors).init, shapes.params)
    assert from_fields(RunConfig, config.run.to_dict()).validation_records >= config.data.batch_size
    if config.method_name == "cgdmer":  # MERL's temperature is no parameter
        assert rate_factor("log_inverse_temperature", optimizer.rate_factors) == 10  # the temperature learns faster


ALREADY_TRAINED = {
    "configs/cgdmer.py:quickstart": "tests/training/test_resume.py",
    "configs/quickstart.py": "tests/evaluation/test_evaluate.py",
    "configs/cgdmer.py:minilm": "tests/recipes/test_pretrained_text.py",
    "configs/cgdmer.py:tiny": "as nano, which differs in widths, depths and the length of a patch alone",
}


@pytest.mark.parametrize("spec", [s for s in specs() if s not in ALREADY_TRAINED and "cgdmer" in s])
def test_every_size_made_narrow_trains_two_steps(spec, corpus):
    """Widths and depths are reduced; dtype, remat, masking and everything else is the size's own."""
    config = load_config(spec, [])
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part].update(width=16, depth=1, heads=2)
    config.method.update(embed_dim=16, unroll=1)
    config.data.update(batch_size=4, max_tokens=8)
    tokenizer = build.make_tokenizer(config, corpus)
    contract = build.make_contract(corpus, tokenizer, config.method.scaling)
    method = build.make_method(config, contract, tokenizer)
    loader = make_loader(config, corpus, token_table(corpus, tokenizer, config.data.max_tokens))

    key, draw = jax.random.key(config.seed), np.random.default_rng(0)
    shapes = jax.eval_shape(method.init, key, loader.batch(0))
    variables = jax.tree.map(lambda x: jnp.asarray(draw.normal(0, 0.1, x.shape), x.dtype), shapes)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    optimizer = make_optimizer(optimizer_config, shapes.params)
    state = start(variables, optimizer)
    before = [np.asarray(x) for x in jax.tree.leaves(state.variables)]
    step = make_step(method, optimizer, key, optimizer_config.steps)
    compiled = step.lower(state, loader.batch(0)).compile()
    for number in range(2):
        state, metrics = compiled(state, loader.batch(number))
        assert np.isfinite(metrics["loss"]) and int(state.first_bad_step) == NEVER
    after = [np.asarray(x) for x in jax.tree.leaves(state.variables)]
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(a.dtype == np.float32 for a in after) and np.mean(moved) > 0.9


NARROW_CMELT = (
    *(f"method.{part}.{name}" for part in ("ecg", "fusion", "decoder") for name in ("width=16", "depth=2", "heads=2")),
    *("method.front_channels=8", "method.negatives.count=4", "data.batch_size=4", "data.max_tokens=10"),
    "optimizer.warmup_fraction=0.0",  # what 30,000 steps warm up moves nothing in two
)


def test_base_of_cmelt_made_narrow_trains_two_steps(corpus, tmp_path):
    """Widths and depths are reduced, of the text tower too; dtype, remat and all else is the size's own."""
    overrides = [f"--config.{field}" for field in NARROW_CMELT]
    config, tokenizer, _, method = parts_of("configs/cmelt.py:base", corpus, tmp_path, overrides)
    table = token_table(corpus, tokenizer, config.data.max_tokens)
    batch = make_loader(config, corpus, with_columns(table, config, method, corpus, tokenizer)).batch(0)
    key = jax.random.key(config.seed)
    variables = jax.jit(method.init)(key, batch)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    optimizer = make_optimizer(optimizer_config, variables.params, method.declared.rate_factors)
    before = jax.tree.map(np.asarray, variables)
    state, step = start(variables, optimizer), make_step(method, optimizer, key, optimizer_config.steps)
    for _ in range(2):  # the learning rate begins at 0
        state, metrics = step(state, batch)
        assert np.isfinite(metrics["loss"]) and int(state.first_bad_step) == NEVER
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), before, state.variables)
    assert np.mean(jax.tree.leaves(moved)) > 0.7  # the decoder's last map starts from 0, and stops what lies before it


SMALL_MERL = ("method.ecg.width=4", "method.ecg.blocks=(1,1,1,1)", "method.embed_dim=8", "data.batch_size=4")


@pytest.mark.parametrize("preset", merl.PRESETS)
def test_every_preset_of_merl_made_small_trains_two_steps(preset, corpus, tmp_path):
    """Widths, depths and batch are reduced, of the text tower too; the rest is the preset's own."""
    overrides = [f"--config.{field}" for field in (*SMALL_MERL, "data.max_tokens=10")]
    config, tokenizer, _, method = parts_of(f"configs/merl.py:resnet18,{preset}", corpus, tmp_path, overrides)
    batch = make_loader(config, corpus, token_table(corpus, tokenizer, config.data.max_tokens)).batch(0)
    width = config.method.text_architecture.width
    vectors = np.random.default_rng(0).normal(size=(len(batch.row), width)).astype(np.float32)
    batch = batch._replace(text_columns={name: vectors for name in method.declared.text_columns})

    key = jax.random.key(config.seed)
    variables = jax.jit(method.init)(key, batch)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    optimizer = make_optimizer(optimizer_config, variables.params, method.declared.rate_factors)
    before = jax.tree.map(np.asarray, variables)
    state, step = start(variables, optimizer), make_step(method, optimizer, key, optimizer_config.steps)
    for _ in range(2):  # the learning rate begins at 0
        state, metrics = step(state, batch)
        assert np.isfinite(metrics["loss"]) and int(state.first_bad_step) == NEVER
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), before, state.variables)
    assert any(jax.tree.leaves(moved.params["text_tower"])) == (preset == "paper")
    del moved.params["text_tower"]
    assert np.mean(jax.tree.leaves(moved)) > 0.9
