"""A supervised objective on the ordinary command: it declares a task's labels, and its batches bring them."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.diagnostics import gradients
from cgdmer_jax.evaluation.subject import prepare
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from tests.data import small_stores
from tests.data.small_stores import TASK, stored_uv, write_store
from tests.toy_runs import ToyConfig, toy_config
from tests.training.toy import Toy

LABELS = f"labels:{TASK}"
N_CLASSES = 2


@dataclass(frozen=True)
class SupervisedConfig(ToyConfig):
    """The weight names the term whose gradient is measured."""

    weight_labels: float = 1.0


class Supervised(Toy):
    """Logistic regression of a task's classes on the mean of each lead."""

    def __init__(self, column: str):
        self.declared = Declared(recordings=True, text=True, record_columns=(column,))

    def init(self, key, batch):
        return Variables({"head": {"kernel": jnp.zeros((12, N_CLASSES)), "bias": jnp.zeros(N_CLASSES)}}, {})

    def loss(self, variables, batch, draws, *, train):
        head, target = variables.params["head"], batch.record_columns[self.declared.record_columns[0]]
        logits = batch.signal.mean(2) / 1000 @ head["kernel"] + head["bias"]
        loss = (jnp.logaddexp(0, logits) - target * logits).mean()
        return loss, Aux({}, {"labels": loss})


def train(column: str, store: str, folder, monkeypatch):
    monkeypatch.setitem(METHODS, "toy", (lambda *_, **__: Supervised(column), SupervisedConfig))
    config = toy_config(store, learning_rate=0.1)
    config.method = {"width": 1, "scaling": "record_std", "weight_labels": 0.5}
    config.optimizer.steps = 60
    config.run.update(validate_every=60, checkpoint_every=60)
    return pretrain(config, folder), config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Record r has code r % 2, and lead V6 is absent where that is 1: the mean of V6 tells the classes apart."""
    return write_store(tmp_path_factory.mktemp("store") / "s", [f"number {row}" for row in range(60)])


def gradient_norm(rows, kernel, bias):
    """Gradient norm of logistic regression in closed form: signals and labels by the rule that made them."""
    mean_mv = np.array([stored_uv(row).mean(1) for row in rows]) / 1000
    probability = 1 / (1 + np.exp(-(mean_mv @ kernel + bias)))
    of_logits = (probability - (np.arange(N_CLASSES) == rows[:, None] % 2)) / (len(rows) * N_CLASSES)
    return np.linalg.norm(np.vstack([mean_mv.T @ of_logits, of_logits.sum(0)]))


def test_it_learns_the_labels_of_its_own_records(store, tmp_path, monkeypatch):
    code, config = train(LABELS, store, tmp_path / "run", monkeypatch)
    assert code == 0
    found = read_metrics(tmp_path / "run/metrics.jsonl")
    first, last = found[0], found[-1]

    # From 0, where every probability is 1/2, the gradient is known.
    corpus, tokens = open_corpus((store,)), np.zeros((60, 6), np.int32)
    loader = Loader(corpus, corpus.lines("train"), tokens, tokens > 0, batch_size=4, seed=config.seed)
    of_zeros = gradient_norm(corpus.rows(loader.lines_of_step(0)), np.zeros((12, N_CLASSES)), np.zeros(N_CLASSES))
    assert first["loss"] == pytest.approx(np.log(2), rel=1e-6)
    assert first["gradient_norm"] == pytest.approx(of_zeros, rel=1e-5)
    assert last["validation_loss"] < np.log(2) / 2


def test_a_task_that_the_store_lacks_is_refused_before_a_run_folder_is_made(store, tmp_path, monkeypatch):
    with pytest.raises(CgdmerError, match='has no task "finding"'):
        train("labels:finding", store, tmp_path / "run", monkeypatch)
    assert not (tmp_path / "run").exists()


def test_gradient_norms_of_a_trained_run_read_the_labels_too(store, tmp_path, monkeypatch):
    train(LABELS, store, tmp_path / "run", monkeypatch)
    other = write_store(tmp_path / "other", [f"number {row}" for row in range(40)])
    (row,) = gradients(prepare(tmp_path / "run", other, "validation", None)).rows
    head = load_run(tmp_path / "run", None).variables.params["head"]
    fold_9 = np.arange(8, 40, 10)  # as many records as a batch has
    assert (row["term"], row["weight"]) == ("labels", 0.5)
    assert row["norm"] == pytest.approx(
        gradient_norm(fold_9, *map(np.asarray, (head["kernel"], head["bias"]))), rel=1e-4
    )


def test_of_a_store_without_the_task_the_gradient_norms_are_left_out_by_name(store, tmp_path, monkeypatch):
    train(LABELS, store, tmp_path / "run", monkeypatch)
    monkeypatch.setattr(small_stores, "TASK", "rhythm")
    other = write_store(tmp_path / "other", [f"number {row}" for row in range(60)])
    outcome = gradients(prepare(tmp_path / "run", other, "validation", None))
    assert outcome.rows == () and "gradient norms: store" in outcome.left_out[0]
    assert f'has no task "{TASK}"' in outcome.left_out[0]
