"""CG-DMER's hybrid loss in PyTorch, of the same batch and the same draws as ours (methods/cgdmer/loss.py)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.torch_cgdmer.network import ModalityTokens, Network, Slots, live_of, take

NO_TEXT = -1
STD_FLOOR_MV, CLIP = 0.01, 20.0


class Step(NamedTuple):
    """A batch and everything that was drawn for it, on one device."""

    signal: Tensor  # int16 microvolts (batch, lead, time)
    lead_mask: Tensor  # after lead dropout
    length: Tensor
    tokens: Tensor
    token_mask: Tensor
    text_id: Tensor
    kept: Slots
    hidden: Slots
    masked: Slots
    replacement: Tensor  # what stands at the masked words
    read_tokens: Tensor  # what alignment reads of the reports
    read_length: Tensor
    disentangle_weight: Tensor


class Weights(NamedTuple):
    ecg: float
    text: float
    align: float
    decode_ratio: float
    same_words_alike: bool  # reports that became equal when statements were left out are no negatives


def hybrid_loss(network: Network, step: Step, weights: Weights, patch_samples: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss and its terms by name."""
    dtype = network.projector.weight.dtype
    patches, log_std = _patches(step, patch_samples, dtype)
    live = step.kept.live()
    told = torch.cat([patches, log_std], 2)
    ecg = network.second_encoders("ecg", network.ecg_encoder(told, step.kept), live)

    words = torch.where(step.masked.live(), step.replacement, step.tokens.gather(1, step.masked.index))
    tokens = torch.cat([step.tokens.scatter(1, step.masked.index, words), step.read_tokens])
    n_tokens = tokens.shape[1]
    lengths = torch.cat([step.token_mask.sum(1), step.read_length])
    text_live = live_of(lengths, n_tokens)
    both = network.second_encoders("text", network.text_encoder(tokens, text_live), text_live)
    n = len(step.tokens)
    masked_text, text = (ModalityTokens(*(part[half] for part in both)) for half in (slice(n), slice(n, None)))

    n_queries = max(1, round(weights.decode_ratio * step.hidden.index.shape[1]))
    queries = Slots(step.hidden.index[:, :n_queries], step.hidden.length.clamp(max=n_queries))
    predicted = network.ecg_decoder(ecg.shared + ecg.specific, step.kept, queries).to(dtype)
    error = F.smooth_l1_loss(predicted, take(patches, queries.index), reduction="none").mean(-1)
    at_masked = take(masked_text.shared + masked_text.specific, step.masked.index)
    logits = network.token_logits(at_masked).to(dtype)
    word = step.tokens.gather(1, step.masked.index)
    surprise = F.cross_entropy(logits.transpose(1, 2), word, reduction="none")

    pooled = [
        [_mean(tokens, alive).to(dtype) for tokens in parts]
        for parts, alive in ((ecg, live), (text, live_of(step.read_length, n_tokens)))
    ]
    with torch.autocast(step.signal.device.type, enabled=False):
        has_text = step.text_id != NO_TEXT
        points = [F.normalize(network.projector(shared), dim=1, eps=1e-6) for shared, _ in pooled]
        temperature = torch.exp(-network.log_inverse_temperature.clamp(max=math.log(100.0)))
        there = (step.kept.length > 0, has_text)
        terms = {
            "ecg": _average(error, queries.live()),
            "text": _average(surprise, step.masked.live()),
            "align": _info_nce(*points, _alike(step, weights.same_words_alike), has_text, temperature),
            "disentangle": 0.5 * sum(_dependence(*p, live) ** 2 for p, live in zip(pooled, there, strict=True)),
        }
        total = weights.ecg * terms["ecg"] + weights.text * terms["text"] + weights.align * terms["align"]
        return total + step.disentangle_weight * terms["disentangle"], terms


def _patches(step: Step, patch_samples: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Millivolts over the record's standard deviation, cut into (batch, lead x patch, sample); log of each lead's own
    standard deviation in millivolts, for each patch (batch, lead x patch, 1)."""
    batch, _, samples = step.signal.shape
    live = step.lead_mask[:, :, None] & live_of(step.length, samples)[:, None, :]
    signal = torch.where(live, step.signal.to(dtype) * 1e-3, 0.0)
    scaled = (signal / _std(signal, live, (1, 2))).clamp(-CLIP, CLIP).reshape(batch, -1, patch_samples)
    log_std = _std(signal, live, (2,)).log().repeat_interleave(samples // patch_samples, dim=1)
    return scaled, log_std


def _std(signal: Tensor, live: Tensor, axes: tuple[int, ...]) -> Tensor:
    n = live.sum(axes, keepdim=True).clamp(min=1)
    mean = signal.sum(axes, keepdim=True) / n
    variance = torch.where(live, (signal - mean) ** 2, 0.0).sum(axes, keepdim=True) / n
    return variance.sqrt().clamp(min=STD_FLOOR_MV)


def _average(x: Tensor, live: Tensor) -> Tensor:
    return torch.where(live, x, 0.0).sum() / live.sum().clamp(min=1)


def _mean(x: Tensor, live: Tensor) -> Tensor:
    """Over the live tokens, in float32 at least."""
    x = x if x.dtype == torch.float64 else x.float()
    return torch.where(live[:, :, None], x, 0.0).sum(1) / live.sum(1, keepdim=True).clamp(min=1)


def _alike(step: Step, same_words: bool) -> Tensor:
    """Pairs (batch, batch) of records with the same report."""
    alike = step.text_id[:, None] == step.text_id[None, :]
    if same_words:
        alike = alike | (step.read_tokens[:, None, :] == step.read_tokens[None, :, :]).all(-1)
    return alike


def _info_nce(ecg: Tensor, text: Tensor, alike: Tensor, live: Tensor, temperature: Tensor) -> Tensor:
    """Both directions; what is alike is no negative."""
    own = torch.eye(len(ecg), dtype=torch.bool, device=ecg.device)
    counted = live[:, None] & live[None, :] & (own | ~alike)
    logits = (ecg @ text.T / temperature).masked_fill(~counted, -1e30)
    target = torch.arange(len(ecg), device=ecg.device)
    ways = [F.cross_entropy(side, target, reduction="none") for side in (logits, logits.T)]
    return _average(0.5 * sum(ways), live)


def _dependence(x: Tensor, y: Tensor, live: Tensor) -> Tensor:
    """The debiased CKA of two sets of features over the live records."""
    k, h = (z @ z.T for z in (_standardise(x, live), _standardise(y, live)))
    scale = _hsic(k, k, live) * _hsic(h, h, live)
    return torch.where(live.sum() >= 4, _hsic(k, h, live) * scale.clamp(min=1e-6).rsqrt(), 0.0)


def _standardise(x: Tensor, live: Tensor) -> Tensor:
    n = live.sum().clamp(min=1)
    x = torch.where(live[:, None], x, 0.0)
    x = torch.where(live[:, None], x - x.sum(0) / n, 0.0)
    return x * ((x**2).sum(0) / n + 1e-6).rsqrt()


def _hsic(k: Tensor, h: Tensor, live: Tensor) -> Tensor:
    n = live.sum().clamp(min=4).to(k.dtype)
    pair = live[:, None] & live[None, :] & ~torch.eye(len(k), dtype=torch.bool, device=k.device)
    k, h = torch.where(pair, k, 0.0), torch.where(pair, h, 0.0)
    rows_k, rows_h = k.sum(1), h.sum(1)
    total = (k * h).sum() + rows_k.sum() * rows_h.sum() / ((n - 1) * (n - 2))
    return (total - 2 / (n - 2) * (rows_k @ rows_h)) / (n * (n - 3))
