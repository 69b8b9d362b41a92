"""C-MELT's forward passes and loss terms once more, in NumPy float64 and record by record.

Written from the formulas and not from the code it is compared with: no slots, no batches, no masks of attention. What
is hidden is simply not there, and a convolution is written as one.
"""

import numpy as np

from tests.methods.numpy_kmerl import attended, blocks_of, dense, gelu, time_positions, transformer, unit

POST = 1e-5  # epsilon of the post-norm blocks


def norm(x, p, epsilon=POST):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * p["scale"] + p["bias"]


def millivolts(signal, leads, length):
    """[lead, time], 0 in leads that are not read and beyond the end."""
    read = np.zeros(signal.shape)
    read[leads, :length] = np.clip(signal[leads, :length].astype(np.float64) / 1000, -20, 20)
    return read


def standardised(signal, length):
    """Each lead's z-score over the recording, before its end."""
    live = signal[:, :length].astype(np.float64) / 1000
    z = np.zeros(signal.shape)
    z[:, :length] = (live - live.mean(1, keepdims=True)) / np.maximum(live.std(1, keepdims=True), 0.01)
    return z


def front_end(stretch, p):
    """One token of [lead, sample]: convolutions of kernel and stride 2, all leads in all channels."""
    x = stretch
    for layer in range(1, len(p) + 1):
        kernel = p[f"conv{layer}"]["kernel"]
        of_first, of_second = np.split(kernel, 2)
        x = gelu(np.stack([of_first.T @ x[:, t] + of_second.T @ x[:, t + 1] for t in range(0, x.shape[1], 2)], axis=1))
    return x[:, 0]


def post_block(x, p, heads, memory=None):
    x = norm(x + attended(x, x, p["attention"], heads), p["norm_attention"])
    if memory is not None:
        read = attended(x, memory, p["cross_attention"], heads) if len(memory) else 0
        x = norm(x + read, p["norm_cross_attention"])
    return norm(x + dense(gelu(dense(x, p["up"])), p["down"]), p["norm_mlp"])


def ecg_tokens(signal, kept, n_patches, p, heads):
    """[CLS] and the kept tokens in the order given, before the projection; `signal` in millivolts."""
    p, size = p["ecg_encoder"], signal.shape[1] // n_patches
    x = np.stack([front_end(signal[:, n * size : (n + 1) * size], p["front_end"]) for n in kept])
    x = dense(norm(x, p["front_norm"]), p["token"])
    x = norm(np.concatenate([p["cls"][None], x + time_positions(n_patches, x.shape[1])[kept]]), p["norm"])
    for block in blocks_of(p["blocks"]):
        x = post_block(x, block, heads)
    return x


def text_tokens(words, p, heads):
    p = p["text_encoder"]
    x = norm(p["token"][list(words)] + p["position"][: len(words)], p["norm"], 1e-6)
    return transformer(x, p["encoder"], heads)


def layers_of(stack):
    ecg, text = blocks_of(stack["ecg"]), blocks_of(stack["text"])
    return list(zip(ecg, text, strict=True))


def fused(ecg, text, p, heads):
    """(ECG tokens that enter the middle layer, ECG and text tokens after the last)."""
    ecg, text = ecg + p["modality"][0], text + p["modality"][1]
    middle = None
    for number, stack in enumerate(("lower", "upper")):
        if number == 1:
            middle = ecg
        for of_ecg, of_text in layers_of(p["fusion_layers"][stack]):
            before = ecg
            ecg = post_block(ecg, of_ecg, heads, text)
            if len(text):
                text = post_block(text, of_text, heads, before)
    return middle, ecg, text


def drawn(middle, kept, hidden, n_patches, p, heads):
    """Predicted values of the hidden tokens."""
    p = p["ecg_decoder"]
    x = dense(middle, p["memory"])
    seen = dict(zip(kept, x[1:], strict=True))
    places = [seen.get(n, p["mask_token"]) for n in range(len(kept) + len(hidden))]
    x = np.stack([x[0], *places]) + time_positions(1 + n_patches, x.shape[1])[: 1 + len(places)]
    x = transformer(x, p["encoder"], heads)
    return {n: dense(x[1 + n], p["samples"]) for n in hidden}


def word_losses(text, at, words, p):
    p = p["word_head"]
    logits = dense(norm(gelu(dense(text[at], p["dense"])), p["norm"]), p["words"])
    return [np.log(np.exp(row).sum()) - row[word] for row, word in zip(logits, words, strict=True)]


def match_logits(ecg, text, p):
    pooled = [np.tanh(dense(x[0], p[f"fused_pooler_{name}"])) for name, x in (("text", text), ("ecg", ecg))]
    return dense(np.concatenate(pooled), p["match_head"])


def pairwise(ecg, text, own, read, scale, bias):
    """Mean over records with a report of the sum of -log sigmoid(y (scale cos + bias)); the same text is skipped."""
    live = [i for i, number in enumerate(own) if number >= 0]
    total = 0.0
    for i in live:
        for j in live:
            z = scale * unit(ecg[i]) @ unit(text[j]) + bias
            if i == j and own[i] == read[j]:
                total += np.log1p(np.exp(-z))
            elif own[i] != read[j]:
                total += np.log1p(np.exp(z))
    return total / len(live)
