"""Parameters of CG-DMER by name, from JAX to torch and back; and a step's arrays as tensors."""

import jax
import numpy as np
import torch

from baselines.torch_cgdmer.loss import Step, Weights
from baselines.torch_cgdmer.network import Network, Slots
from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.config import CgDmerConfig, CgDmerDraws
from cgdmer_jax.methods.cgdmer.method import CgDmer

# What network.py and loss.py write down; a config that asks for something else has no twin in torch.
WRITTEN = {
    "text_tower": "",
    "scaling": "record_std",
    "column_queries": True,
    "target": "signal",
    "shared_second": True,
    "pooling": "mean",
    "alignment": "info_nce",
    "same_text": "ignored",
    "near_duplicate": 1.0,
    "disentangling": "hsic_linear",
    "weight_cross": 0.0,
}


def network_of(method: CgDmer) -> tuple[Network, Weights]:
    """The same sizes in torch, with torch's own first weights; and the weights of the loss terms."""
    check(method.config)
    ours, config = method.network, method.config
    network = Network(
        n_leads=ours.n_leads,
        n_patches=ours.n_patches,
        patch_samples=ours.patch_samples,
        vocabulary=ours.vocabulary,
        max_tokens=ours.max_tokens,
        embedding=ours.embedding,
        temperature=ours.temperature,
        stem=config.stem,
        scale_feature=config.scale_feature,
        ecg=ours.ecg,
        text=ours.text,
        second=ours.second,
        decoder=ours.decoder,
    )
    terms = (config.weight_ecg, config.weight_text, config.weight_align)
    return network, Weights(*terms, config.decode_ratio, config.statement_dropout > 0)


def check(config: CgDmerConfig) -> None:
    for field, value in WRITTEN.items():
        if getattr(config, field) != value:
            raise CgdmerError(
                f"config.method.{field} is {getattr(config, field)!r}; the model in torch has {value!r} only, "
                "so this config can't be compared"
            )
    if config.align_mask_ratio != config.mask_ratio:
        raise CgdmerError("config.method.align_mask_ratio differs from mask_ratio; the model in torch has one ECG pass")
    if min(config.weight_ecg, config.weight_text, config.weight_align, config.weight_disentangle) <= 0:
        raise CgdmerError("a term of config.method has weight 0; the model in torch always computes all four")


def tensors_of(params: dict) -> dict[str, np.ndarray]:
    """torch's names -> arrays; the layers of a scanned stack become modules of their own."""
    tensors = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        *modules, name = (entry.key for entry in path)
        array = np.asarray(leaf)
        stacked = "blocks" in modules
        for layer, value in enumerate(array if stacked else array[None]):
            names = [f"blocks.{layer}" if module == "blocks" else module for module in modules]
            names.append({"kernel": "weight", "scale": "weight"}.get(name, name))
            tensors[".".join(names)] = value.T if name == "kernel" else value
    return tensors


def params_of(tensors: dict[str, np.ndarray], like: dict) -> dict:
    """The way back, into the tree of `like`."""

    def gather(path, leaf):
        *modules, name = (entry.key for entry in path)
        name_there = {"kernel": "weight", "scale": "weight"}.get(name, name)

        def one(layer):
            names = [f"blocks.{layer}" if module == "blocks" else module for module in modules]
            value = tensors[".".join([*names, name_there])]
            return value.T if name == "kernel" else value

        return np.stack([one(layer) for layer in range(leaf.shape[0])]) if "blocks" in modules else one(0)

    return jax.tree_util.tree_map_with_path(gather, like)


def transplant(params: dict, network: Network) -> None:
    """Every tensor of `network` becomes ours; a name too many or too few raises."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in tensors_of(params).items()}
    network.load_state_dict(tensors, strict=True)


def step_of(batch: Batch, draws: CgDmerDraws, device: str) -> Step:
    """A batch and its draws as torch tensors; token numbers become int64, as torch indexes with them."""

    def tensor(array):
        array = np.array(array)
        return torch.from_numpy(array.astype(np.int64) if array.dtype == np.int32 else array).to(device)

    def slots(ours):
        return Slots(tensor(ours.index), tensor(ours.length))

    return Step(
        signal=tensor(batch.signal),
        lead_mask=tensor(draws.lead_mask),
        length=tensor(batch.length),
        tokens=tensor(batch.tokens),
        token_mask=tensor(batch.token_mask),
        text_id=tensor(batch.text_id),
        kept=slots(draws.kept),
        hidden=slots(draws.hidden),
        masked=slots(draws.masked.slots),
        replacement=tensor(draws.masked.replacement),
        read_tokens=tensor(draws.aligned_text.tokens),
        read_length=tensor(draws.aligned_text.length),
        disentangle_weight=tensor(draws.disentangle_weight),
    )
