"""The training step in PyTorch: AdamW, warm-up, cosine, clipping; plain or compiled, float32 or autocast."""

import math
import re
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from baselines.torch_cgdmer.loss import Step, Weights, hybrid_loss
from baselines.torch_cgdmer.network import Network
from cgdmer_jax.training.optimizer import EVERYTHING, OptimizerConfig


def learning_rate(config: OptimizerConfig, step: int) -> float:
    """Learning rate of update number `step`, from 0."""
    decay = max(2, config.steps)
    warm = min(max(1, round(config.warmup_fraction * config.steps)), decay - 1)
    if step < warm:
        return config.learning_rate * step / warm
    share = min(1.0, (step - warm) / (decay - warm))
    final = config.final_fraction
    return config.learning_rate * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * share)))


def make_optimizer(network: Network, config: OptimizerConfig) -> torch.optim.AdamW:
    """Decay for the weights of linear layers only, or for everything; a factor on the learning rate by name."""
    linear = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)}
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        factor = next((f for pattern, f in config.rate_factors if re.search(pattern, name.replace(".", "/"))), 1.0)
        decay = config.weight_decay if name in linear or config.decayed == EVERYTHING else 0.0
        groups.setdefault((decay, factor), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": params, "weight_decay": decay, "factor": factor} for (decay, factor), params in groups.items()],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=next(network.parameters()).is_cuda,
    )


def make_step(
    network: Network, weights: Weights, patch_samples: int, config: OptimizerConfig, *, bfloat16: bool, compiled: bool
) -> Callable[[int, Step], tuple[Tensor, dict[str, Tensor]]]:
    """(number of the update from 0, what it trains on) -> (loss, terms), after which the network is updated."""
    optimizer = make_optimizer(network, config)
    loss_of = torch.compile(hybrid_loss) if compiled else hybrid_loss
    device = next(network.parameters()).device.type

    def step(number: int, data: Step) -> tuple[Tensor, dict[str, Tensor]]:
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * learning_rate(config, number)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
            loss, terms = loss_of(network, data, weights, patch_samples)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        optimizer.step()
        return loss.detach(), terms

    return step


def curve(step: Callable, data: Iterable[Step]) -> list[float]:
    """The loss of each step."""
    return [float(step(number, one)[0]) for number, one in enumerate(data)]
