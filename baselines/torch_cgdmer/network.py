"""CG-DMER's forward passes as one would write them in PyTorch: the other side of every comparison with torch.

Modules and tensors are named as the paths of ours, so that weights go over by name (weights.py). The defaults of
configs/cgdmer.py only: mean pooling, one shared second encoder.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer_jax.methods.cgdmer.network import Size
from cgdmer_jax.models.ecg.stem import MERGED, WINDOWS

MODALITIES = ("ecg", "text")
EPSILON = 1e-6


class Slots(NamedTuple):
    """Token numbers (batch, slot); the first `length` (batch) are live."""

    index: Tensor
    length: Tensor

    def live(self) -> Tensor:
        return live_of(self.length, self.index.shape[1])


class ModalityTokens(NamedTuple):
    """Tokens (batch, token, width) after a modality's shared and its specific encoder."""

    shared: Tensor
    specific: Tensor


def live_of(length: Tensor, n: int) -> Tensor:
    return torch.arange(n, device=length.device)[None, :] < length[:, None]


def take(x: Tensor, index: Tensor) -> Tensor:
    """x (batch, token, width) at index (batch, slot)."""
    return torch.gather(x, 1, index[:, :, None].expand(-1, -1, x.shape[2]))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, live: Tensor) -> Tensor:
        def split(t):
            return t.view(*t.shape[:2], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=live[:, None, None, :])
        return self.out(out.transpose(1, 2).reshape(x.shape))


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Block(nn.Module):
    """Pre-norm; attends to `memory`, or to itself when that is None."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm_attention, self.norm_mlp = (nn.LayerNorm(width, eps=EPSILON) for _ in range(2))
        self.attention, self.mlp = Attention(width, heads), Mlp(width)

    def forward(self, x: Tensor, memory: Tensor | None, live: Tensor) -> Tensor:
        normed = self.norm_attention(x)
        x = x + self.attention(normed, normed if memory is None else memory, live)
        return x + self.mlp(self.norm_mlp(x))


class Transformer(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.blocks = nn.ModuleList(Block(size.width, size.heads) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, eps=EPSILON)

    def forward(self, x: Tensor, live: Tensor, memory: Tensor | None = None) -> Tensor:
        # Boolean masks without any True give NaN in torch; a record without keys attends evenly, as ours does.
        live = live | ~live.any(1, keepdim=True)
        for block in self.blocks:
            x = block(x, memory, live)
        return self.norm(x)


class Positions(nn.Module):
    def __init__(self, n_leads: int, n_patches: int, width: int):
        super().__init__()
        self.n_patches = n_patches
        self.lead = nn.Parameter(torch.randn(n_leads, width) * 0.5)
        frequency = 1.0 / 10_000 ** (torch.arange(width // 2, dtype=torch.float64) / (width // 2))
        angle = torch.arange(n_patches)[:, None] * frequency
        self.register_buffer("time", torch.cat([angle.sin(), angle.cos()], 1).to(self.lead.dtype), persistent=False)

    def forward(self, index: Tensor) -> Tensor:
        return self.lead[index // self.n_patches] + self.time[index % self.n_patches]


class ConvStem(nn.Module):
    """Two convolutions inside a patch, each written as a map of its windows, and a map to the token."""

    def __init__(self, patch_samples: int, width: int):
        super().__init__()
        self.stride = -(-patch_samples // WINDOWS)
        self.padding = (self.stride, (WINDOWS + 2) * self.stride - patch_samples)
        self.first = nn.Linear(4 * self.stride, width // 4)
        self.second = nn.Linear(MERGED * (width // 4), width // 2)
        self.token = nn.Linear(WINDOWS // MERGED * (width // 2), width)

    def forward(self, patches: Tensor) -> Tensor:
        windows = F.pad(patches, self.padding).unfold(-1, 4 * self.stride, self.stride)
        x = F.gelu(self.first(windows), approximate="tanh")
        x = F.gelu(self.second(x.unflatten(2, (-1, MERGED)).flatten(3)), approximate="tanh")
        return self.token(x.flatten(2))


class EcgEncoder(nn.Module):
    def __init__(self, n_leads: int, n_patches: int, patch_samples: int, size: Size, stem: str, scale_feature: bool):
        super().__init__()
        # Named as ours: the linear one "patch".
        if stem == "conv":
            self.stem = ConvStem(patch_samples, size.width)
        else:
            self.patch = nn.Linear(patch_samples, size.width)
        self.patch_samples = patch_samples
        self.features = nn.Linear(1, size.width) if scale_feature else None
        self.positions = Positions(n_leads, n_patches, size.width)
        self.encoder = Transformer(size)

    def forward(self, patches: Tensor, kept: Slots) -> Tensor:
        """`patches` have a column behind their samples where a token is told its lead's amplitude."""
        live = kept.live()
        taken = torch.where(live[:, :, None], take(patches, kept.index), 0.0)
        tokens_of = self.stem if hasattr(self, "stem") else self.patch
        x = tokens_of(taken[:, :, : self.patch_samples])
        if self.features is not None:
            x = x + self.features(taken[:, :, self.patch_samples :])
        return self.encoder(x + self.positions(kept.index).to(x.dtype), live)


class TextEncoder(nn.Module):
    def __init__(self, vocabulary: int, max_tokens: int, size: Size):
        super().__init__()
        self.token = nn.Parameter(torch.randn(vocabulary, size.width) * 0.02)
        self.position = nn.Parameter(torch.randn(max_tokens, size.width) * 0.02)
        self.norm = nn.LayerNorm(size.width, eps=EPSILON)
        self.encoder = Transformer(size)

    def forward(self, tokens: Tensor, live: Tensor) -> Tensor:
        x = self.norm(F.embedding(tokens, self.token) + self.position[: tokens.shape[1]])
        if torch.is_autocast_enabled(x.device.type):  # autocast leaves norms in float32; the residual stream is ours
            x = x.to(torch.get_autocast_dtype(x.device.type))
        return self.encoder(x, live)


class SecondEncoders(nn.Module):
    def __init__(self, widths: dict[str, int], size: Size):
        super().__init__()
        for modality in MODALITIES:
            setattr(self, f"specific_input_{modality}", nn.Linear(widths[modality], size.width))
            setattr(self, f"shared_input_{modality}", nn.Linear(widths[modality], size.width))
            setattr(self, f"specific_encoder_{modality}", Transformer(size))
        self.shared_encoder = Transformer(size)
        self.modality = nn.Parameter(torch.randn(2, size.width) * 0.02)

    def forward(self, modality: str, x: Tensor, live: Tensor) -> ModalityTokens:
        own = getattr(self, f"specific_input_{modality}")(x)
        shared = getattr(self, f"shared_input_{modality}")(x)
        shared = shared + self.modality[MODALITIES.index(modality)].to(shared.dtype)
        specific_encoder = getattr(self, f"specific_encoder_{modality}")
        return ModalityTokens(self.shared_encoder(shared, live), specific_encoder(own, live))


class EcgDecoder(nn.Module):
    def __init__(self, n_leads: int, n_patches: int, patch_samples: int, memory_width: int, size: Size):
        super().__init__()
        self.n_patches = n_patches
        self.mask_token = nn.Parameter(torch.randn(size.width) * 0.02)
        self.positions = Positions(n_leads, n_patches, size.width)
        self.memory = nn.Linear(memory_width, size.width)
        self.column = nn.Linear(size.width, size.width)
        self.decoder = Transformer(size)
        self.samples = nn.Linear(size.width, patch_samples)

    def forward(self, memory: Tensor, kept: Slots, queries: Slots) -> Tensor:
        memory = self.memory(memory)
        memory = memory + self.positions(kept.index).to(memory.dtype)
        live = kept.live()
        member = F.one_hot(kept.index % self.n_patches, self.n_patches) * live[:, :, None]
        columns = member.to(memory.dtype).transpose(1, 2) @ memory
        columns = columns / member.sum(1).clamp(min=1)[:, :, None].to(memory.dtype)
        x = (self.mask_token + self.positions(queries.index)).to(memory.dtype)
        x = x + self.column(take(columns, queries.index % self.n_patches))
        return self.samples(self.decoder(x, live, memory))


class LanguageHead(nn.Module):
    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.dense, self.norm = nn.Linear(inputs, width), nn.LayerNorm(width, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.dense(x))


class Network(nn.Module):
    """All parameters; `loss.py` says in which order its passes are made."""

    def __init__(
        self,
        *,
        n_leads: int,
        n_patches: int,
        patch_samples: int,
        vocabulary: int,
        max_tokens: int,
        embedding: int,
        temperature: float,
        stem: str,
        scale_feature: bool,
        ecg: Size,
        text: Size,
        second: Size,
        decoder: Size,
    ):
        super().__init__()
        grid = (n_leads, n_patches, patch_samples)
        self.ecg_encoder = EcgEncoder(*grid, ecg, stem, scale_feature)
        self.text_encoder = TextEncoder(vocabulary, max_tokens, text)
        self.second_encoders = SecondEncoders({"ecg": ecg.width, "text": text.width}, second)
        self.ecg_decoder = EcgDecoder(*grid, second.width, decoder)
        self.language_head = LanguageHead(second.width, text.width)
        self.projector = nn.Linear(second.width, embedding)
        self.log_inverse_temperature = nn.Parameter(-torch.tensor(temperature).log())

    def token_logits(self, x: Tensor) -> Tensor:
        return F.linear(self.language_head(x), self.text_encoder.token)
