"""K-MERL's forward passes and loss terms once more, in NumPy float64 and record by record, for one config.

Written from the formulas and not from the code it is compared with: no slots, no masks, no batches. What is hidden is
simply not there.
"""

import numpy as np

EPSILON = 1e-6


def dense(x, p):
    return x @ p["kernel"] + p["bias"]


def norm(x, p):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON) * p["scale"] + p["bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def attended(x, memory, p, heads):
    """Multi-head attention of x to the memory, head by head."""
    query, key, value = (dense(t, p[name]) for t, name in ((x, "query"), (memory, "key"), (memory, "value")))
    size, parts = query.shape[1] // heads, []
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        scores = query[:, own] @ key[:, own].T / np.sqrt(size)
        weight = np.exp(scores - scores.max(1, keepdims=True))
        parts.append(weight / weight.sum(1, keepdims=True) @ value[:, own])
    return dense(np.concatenate(parts, axis=1), p["out"])


def blocks_of(stacked):
    """Parameters of one block after the other."""

    def at(tree, number):
        return {k: at(v, number) if isinstance(v, dict) else v[number] for k, v in tree.items()}

    depth = len(stacked["norm_mlp"]["scale"])
    return [at(stacked, number) for number in range(depth)]


def transformer(x, p, heads, memory=None):
    """Pre-norm blocks and a last norm; a decoder without attention among its queries where a memory is given."""
    for block in blocks_of(p["blocks"]):
        normed = norm(x, block["norm_attention"])
        x = x + attended(normed, normed if memory is None else memory, block["attention"], heads)
        hidden = gelu(dense(norm(x, block["norm_mlp"]), block["mlp"]["up"]))
        x = x + dense(hidden, block["mlp"]["down"])
    return norm(x, p["norm"])


def time_positions(n, width):
    frequency = 10_000.0 ** (-np.arange(width // 2) / (width // 2))
    angle = np.arange(n)[:, None] * frequency
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


def scaled(signal, leads, length, patch):
    """Tokens of a record's present leads by (lead, patch): millivolts over one standard deviation of them all."""
    live = signal[leads, :length].astype(np.float64) / 1000
    size = max(np.sqrt(((live - live.mean()) ** 2).mean()), 0.01)
    return {
        (lead, n): np.clip(signal[lead, n * patch : (n + 1) * patch] / 1000 / size, -20, 20)
        for lead in leads
        for n in range(length // patch)
    }


def ecg_tokens(tokens, kept, p, heads, n_patches):
    p = p["ecg_encoder"]
    places = sorted(kept)
    x = dense(np.stack([tokens[place] for place in places]), p["patch"])
    time = time_positions(n_patches, x.shape[1])
    x = x + np.stack([p["positions"]["lead"][lead] + time[n] for lead, n in places])
    return transformer(x, p["encoder"], heads)


def text_vector(words, p, heads):
    p = p["text_encoder"]
    x = norm(p["token"][list(words)] + p["position"][: len(words)], p["norm"])
    return transformer(x, p["encoder"], heads).mean(0)


def unit(x):
    return x / np.linalg.norm(x)


def answers(queries, tokens, p, heads):
    p = p["query_decoder"]
    return dense(transformer(dense(queries, p["query"]), p["decoder"], heads, tokens), p["logit"])[:, 0]


def contrast(ecg, text, text_id, temperature):
    """Mean over records with a report of both directions; other records of the same report are left out."""
    live = [i for i, number in enumerate(text_id) if number >= 0]
    similar = ecg @ text.T / temperature
    terms = []
    for i in live:
        others = [j for j in live if j == i or text_id[j] != text_id[i]]
        to_text = -np.log(np.exp(similar[i, i]) / sum(np.exp(similar[i, j]) for j in others))
        to_ecg = -np.log(np.exp(similar[i, i]) / sum(np.exp(similar[j, i]) for j in others))
        terms.append((to_text + to_ecg) / 2)
    return np.mean(terms)


def supervision(logits, states, shares, most, hedged):
    """Mean cross-entropy of the decisions that count."""
    terms = []
    for row, said in zip(logits, states, strict=True):
        if not any(said):
            continue
        for z, state, share in zip(row, said, shares, strict=True):
            if state == 2 and hedged == "ignored":
                continue
            present = state == 1 or (state == 2 and hedged == "present")
            weight = min(max((1 - share) / share, 1), most)
            terms.append(weight * np.log1p(np.exp(-z)) if present else np.log1p(np.exp(z)))
    return np.mean(terms)
