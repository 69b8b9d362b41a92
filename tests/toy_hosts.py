"""`python -m tests.toy_hosts WORDS`: experiments.pretrain with one method more, so small that hosts soon agree.

It contrasts recordings with reports over the whole batch, as the real ones do, and tells which records it was given.
"""

import os
import resource
import shutil
import time
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from cgdmer_jax import cli, early_stop
from cgdmer_jax.commands import pretrain
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.recipes import training_run
from cgdmer_jax.training import checkpoint, coordination, hosts, log, placement
from configs import cgdmer

WIDTH = 8


@dataclass(frozen=True)
class ContrastConfig:
    """The loss reads nothing of them; `scaling` goes into the contract."""

    scaling: str


class Contrast:
    """Mean of each lead and mean of the words' vectors, each by one matrix; noise of its own in every step."""

    declared = Declared(recordings=True, text=True)

    def __init__(self, vocabulary: int):
        self.vocabulary = vocabulary

    def init(self, key, batch):
        lead, word = jax.random.split(key)
        n_leads = batch.signal.shape[1]
        return Variables(
            {
                "lead": {"kernel": jax.random.normal(lead, (n_leads, WIDTH))},
                "word": {"kernel": jax.random.normal(word, (self.vocabulary, WIDTH))},
            },
            {},
        )

    def draw(self, key, batch, progress):
        return jax.random.normal(key, (len(batch.row), WIDTH)) * (1 - progress)

    def loss(self, variables, batch, draws, *, train):
        ecg = self.embed_ecg(variables, batch)["aligned"] + 0.1 * draws
        text = self.embed_text(variables, batch.tokens, batch.token_mask)
        scores = ecg @ text.T
        loss = -jnp.diag(jax.nn.log_softmax(scores)).mean() - jnp.diag(jax.nn.log_softmax(scores.T)).mean()
        rows = {f"row_{place}": batch.row[place].astype(jnp.float32) for place in range(len(batch.row))}
        return loss, Aux({}, rows)

    def embed_ecg(self, variables, batch):
        millivolts = jnp.abs(batch.signal.astype(jnp.float32)).mean(2) / 1000
        return {"aligned": millivolts @ variables.params["lead"]["kernel"]}

    def embed_text(self, variables, tokens, token_mask):
        vectors = variables.params["word"]["kernel"][tokens]
        return (vectors * token_mask[..., None]).sum(1) / jnp.maximum(token_mask.sum(1, keepdims=True), 1)


def make_contrast(config, *, n_leads, n_samples, rate, vocabulary, max_tokens, full_stop) -> Contrast:
    return Contrast(vocabulary)


def get_config() -> ConfigDict:
    config = cgdmer.get_config("quickstart")
    config.method_name = "contrast"
    config.method = {"scaling": "record_std"}
    config.data.update(batch_size=8, vocabulary=200, max_tokens=16)
    config.optimizer.update(steps=40, learning_rate=0.01, rate_factors=())
    config.run.update(log_every=1, validate_every=40, checkpoint_every=5, validation_records=8)
    return config


class Filling(checkpoint.Checkpoints):
    """At the save of one step there is no room left for host 0 to begin it, or for one host to write its files."""

    def save(self, state, validation_loss):
        how, host, step = os.environ["FULL"].split(":")
        if int(state.step) == int(step) and jax.process_index() == int(host):
            self._settle()
            if how == "no_room":
                free = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=0))
                checkpoint.shutil = SimpleNamespace(**vars(shutil) | vars(free))
                super().save(state, validation_loss)
                checkpoint.shutil = shutil
                return
            # As tests/full_disk.py; what this host prints goes to a file too, which is longer than that by now.
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        super().save(state, validation_loss)


class Stopping(log.MetricsLog):
    """Sends a signal to its own host once a step is logged: a kill at that step, however fast the machine is."""

    def write(self, record):
        super().write(record)
        host, step, number = map(int, os.environ["STOP"].split(":"))
        if jax.process_index() == host and "loss" in record and record["step"] >= step:
            if record["step"] == step:
                os.kill(os.getpid(), number)
            time.sleep(1)  # the hosts agree on where to stop while they go on: not before the run is at its end


def say_and_join(**given):
    print("joining", flush=True)
    join(**given)


if __name__ == "__main__":
    early_stop.listen_in(["experiments.pretrain"])
    hosts.HEARTBEAT_S = 60  # also on a busy machine; that a host was killed is known by its broken connections
    coordination.FAREWELL_S = int(os.environ.get("FAREWELL_S", "300"))  # nobody waits so long but for a killed host
    coordination.PARTING_S = 4
    if "SAY_JOINING" in os.environ:
        join, jax.distributed.initialize = jax.distributed.initialize, say_and_join
    METHODS["contrast"] = (make_contrast, ContrastConfig)
    placement.shardings = partial(placement.shardings, smallest=64)  # the toy's parameters can be split too
    if "FULL" in os.environ:
        training_run.Checkpoints = Filling
    if "STOP" in os.environ:
        training_run.MetricsLog = Stopping
    cli.run(pretrain.main)
