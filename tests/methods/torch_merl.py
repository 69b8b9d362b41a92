"""MERL restated plainly in PyTorch from its documented sizes, its tensors named as released."""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        out = 4 * width if bottleneck else width
        sizes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        sizes = sizes if bottleneck else [(inputs, width, 3, stride), (width, out, 3, 1)]
        self.n = len(sizes)
        for number, (i, o, samples, step) in enumerate(sizes, start=1):
            setattr(self, f"conv{number}", nn.Conv1d(i, o, samples, step, samples // 2, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm1d(o))
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != out:
            self.shortcut = nn.Sequential(nn.Conv1d(inputs, out, 1, stride, bias=False), nn.BatchNorm1d(out))

    def forward(self, x):
        h = x
        for number in range(1, self.n + 1):
            h = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(h))
            if number < self.n:
                h = F.relu(h)
        return F.relu(h + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, width: int, blocks: tuple[int, ...], bottleneck: bool):
        super().__init__()
        self.conv1 = nn.Conv1d(12, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        inputs, expansion = width, 4 if bottleneck else 1
        for stage, n_blocks in enumerate(blocks):
            layers = []
            for number in range(n_blocks):
                layers.append(Block(inputs, width * 2**stage, 2 if stage and not number else 1, bottleneck))
                inputs = width * 2**stage * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.channels = inputs
        self.linear = nn.Linear(inputs, 10)  # released with the weights, used by nothing

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class AttentionPool(nn.Module):
    def __init__(self, positions: int, width: int):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(1, positions + 1, width) / width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.mhsa = nn.MultiheadAttention(width, 4, batch_first=True)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        x = x.transpose(1, 2)
        query = (self.cls_token + self.positional_embedding[:, :1]).expand(len(x), -1, -1)
        x = torch.cat([query, x], 1) + self.positional_embedding
        return self.c_proj(self.mhsa(x[:, :1], x, x, need_weights=False)[0])[:, 0]


class Normed(nn.Module):
    def __init__(self, width: int, fn: nn.Module):
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(width), fn

    def forward(self, x):
        return x + self.fn(self.norm(x))


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x):
        batch, n, width = x.shape
        q, k, v = (t.view(batch, n, self.heads, -1).transpose(1, 2) for t in self.to_qkv(x).chunk(3, -1))
        return self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, n, width))


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        hidden = nn.Linear(width, 4 * width), nn.GELU(), nn.Identity()
        self.net = nn.Sequential(*hidden, nn.Linear(4 * width, width))

    def forward(self, x):
        return self.net(x)


class VitBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attn, self.ff = Normed(width, SelfAttention(width, heads)), Normed(width, Mlp(width))

    def forward(self, x):
        return self.ff(self.attn(x))


class Vit(nn.Module):
    def __init__(self, samples: int, patch: int, width: int, depth: int, heads: int):
        super().__init__()
        self.to_patch_embedding = nn.Conv1d(12, width, patch, patch, bias=False)
        self.pos_embedding = nn.Parameter(torch.randn(1, samples // patch, width))
        for number in range(depth):
            setattr(self, f"block{number}", VitBlock(width, heads))
        self.depth, self.channels, self.norm = depth, width, nn.LayerNorm(width)

    def forward(self, x):
        x = self.to_patch_embedding(x).transpose(1, 2) + self.pos_embedding
        for number in range(self.depth):
            x = getattr(self, f"block{number}")(x)
        return self.norm(x.mean(1))


class TorchMerl(nn.Module):
    """Everything but the text tower; `encoder` is one of the two above."""

    def __init__(self, encoder: nn.Module, positions: int, tower_width: int, embedding: int):
        super().__init__()
        self.ecg_encoder = encoder
        if isinstance(encoder, ResNet):
            self.downconv = nn.Conv1d(encoder.channels, embedding, 1)
            self.att_pool_head = AttentionPool(positions, embedding)
            viewed = embedding
        else:
            viewed = encoder.channels
            first = nn.Linear(viewed, embedding), nn.BatchNorm1d(embedding), nn.ReLU()
            self.proj_e = nn.Sequential(*first, nn.Linear(embedding, embedding), nn.BatchNorm1d(embedding))
        self.linear1 = nn.Linear(viewed, embedding, bias=False)
        self.linear2 = nn.Linear(viewed, embedding, bias=False)
        hidden = nn.Linear(tower_width, embedding), nn.GELU()
        self.proj_t = nn.Sequential(*hidden, nn.Linear(embedding, embedding))

    def features(self, signal):
        """(main, narrow, aligned)"""
        x = self.ecg_encoder(signal)
        if isinstance(self.ecg_encoder, ResNet):
            narrow = self.downconv(x)
            return x.mean(2), narrow.mean(2), F.normalize(self.att_pool_head(narrow), dim=-1)
        return x, x, F.normalize(self.proj_e(x), dim=-1)

    def loss(self, signal, vectors, keeps=None):
        """L_CMA + L_UMA; `keeps`: the two dropout masks (rate 0.1), None in evaluation."""
        _, narrow, ecg = self.features(signal)
        views = [self.linear1(narrow), self.linear2(narrow)]
        if keeps is not None:
            views = [view * keep / 0.9 for view, keep in zip(views, keeps, strict=True)]
        return clip_loss(ecg, self.proj_t(vectors)) + clip_loss(*views)


def clip_loss(x, y):
    """The sum of both directions' cross-entropies at temperature 0.07."""
    logits = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T / 0.07
    own = torch.arange(len(x))
    return F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)


def randomised(model: nn.Module, seed: int) -> nn.Module:
    """All tensors as after some training: no bias is zero, no norm's scale one, no running statistic as it began."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            noise = torch.randn(tensor.shape, generator=draw)
            if name.endswith("running_var"):
                tensor.copy_(1 + 0.3 * noise.abs())
            elif tensor.ndim == 1:
                tensor.copy_(0.2 * noise + (name.endswith("weight") and 1.0))
            else:
                tensor.copy_(noise * (tensor[0].numel() ** -0.5 if tensor.shape[0] > 1 else 0.5))
    return model
