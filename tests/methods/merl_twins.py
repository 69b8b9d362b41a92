"""The same MERL in PyTorch and here: weights go over as a released file's would."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from cgdmer_jax.interop.merl_names import THEIR_LEADS
from cgdmer_jax.interop.torch_weights import read_merl
from cgdmer_jax.methods.merl.network import MerlNetwork, ResNetSize, VitSize
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.batch_norm import STATISTICS
from cgdmer_jax.models.ecg.resnet import n_positions
from cgdmer_jax.models.transformer import Compute
from cgdmer_jax.waveform.conditioning import LEADS
from tests.methods import torch_merl

PATCH = 50
ORDER = [LEADS.index(lead) for lead in THEIR_LEADS]  # of our leads as the released network takes them


class Twins(NamedTuple):
    network: MerlNetwork
    variables: Variables
    torch: torch_merl.TorchMerl

    def apply(self, *args, method: str, **options):
        return self.network.apply(
            {"params": self.variables.params, STATISTICS: self.variables.state}, *args, method=method, **options
        )


def torch_of(size: ResNetSize | VitSize, *, samples: int, tower_width: int, embedding: int) -> torch_merl.TorchMerl:
    """With the weights that its layers begin with."""
    if isinstance(size, ResNetSize):
        encoder = torch_merl.ResNet(size.width, size.blocks, size.bottleneck)
    else:
        encoder = torch_merl.Vit(samples, PATCH, size.width, size.depth, size.heads)
    return torch_merl.TorchMerl(encoder, n_positions(samples), tower_width, embedding)


def make_twins(size, file: Path, *, samples: int, tower_width: int = 24, embedding: int = 32) -> Twins:
    model = torch_of(size, samples=samples, tower_width=tower_width, embedding=embedding)
    torch_merl.randomised(model, seed=samples + embedding)
    torch.save(model.state_dict(), file)
    network = MerlNetwork(size, PATCH, embedding, Compute())
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((2, 12, samples)), jnp.zeros((2, tower_width)))
    read = read_merl(file, Variables(shapes["params"], shapes[STATISTICS]))
    return Twins(network, read.variables, model)


def signals(n: int, samples: int) -> tuple[np.ndarray, torch.Tensor]:
    """Between 0 and 1 as MERL's are: in our order of leads, and in theirs."""
    signal = np.random.default_rng(n).uniform(0, 1, (n, 12, samples)).astype(np.float32)
    return signal, torch.tensor(signal[:, ORDER])


def assert_close(ours, theirs, limit: float = 1e-4) -> None:
    """Largest difference within `limit` of the root mean square."""
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    size = np.sqrt((theirs**2).mean())
    assert np.abs(ours - theirs).max() <= limit * size, np.abs(ours - theirs).max() / size
