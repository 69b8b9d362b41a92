"""Hugging Face's names for the tensors of our text encoders, and the others that a checkpoint may hold."""

from cgdmer_jax.interop.text_config import TextModule
from cgdmer_jax.models.text.t5 import T5Encoder

LAYER = "{layer}"  # in a name: one tensor a block, stacked here on axis 0
POOLER = "pooler.dense.weight"  # tells that a BERT type has a pooler
# Before the encoder's names in checkpoints that were saved with a head on top.
PREFIXES = {"bert": "bert.", "roberta": "roberta.", "xlm-roberta": "roberta.", "t5": ""}
# Other spellings of the ends of names, in checkpoints that were converted from TensorFlow.
OLD_ENDS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
TIED = {"encoder.embed_tokens.weight": "shared.weight"}  # the same tensor under a second name

_BERT_MODULES = {
    "norm": "embeddings.LayerNorm",
    "blocks/attention/query": "encoder.layer.{layer}.attention.self.query",
    "blocks/attention/key": "encoder.layer.{layer}.attention.self.key",
    "blocks/attention/value": "encoder.layer.{layer}.attention.self.value",
    "blocks/attention/out": "encoder.layer.{layer}.attention.output.dense",
    "blocks/norm_attention": "encoder.layer.{layer}.attention.output.LayerNorm",
    "blocks/up": "encoder.layer.{layer}.intermediate.dense",
    "blocks/down": "encoder.layer.{layer}.output.dense",
    "blocks/norm_mlp": "encoder.layer.{layer}.output.LayerNorm",
    "pool": "pooler.dense",
}
_T5_MODULES = {
    "blocks/norm_attention": "encoder.block.{layer}.layer.0.layer_norm",
    "blocks/attention/query": "encoder.block.{layer}.layer.0.SelfAttention.q",
    "blocks/attention/key": "encoder.block.{layer}.layer.0.SelfAttention.k",
    "blocks/attention/value": "encoder.block.{layer}.layer.0.SelfAttention.v",
    "blocks/attention/out": "encoder.block.{layer}.layer.0.SelfAttention.o",
    "blocks/norm_mlp": "encoder.block.{layer}.layer.1.layer_norm",
    "blocks/down": "encoder.block.{layer}.layer.1.DenseReluDense.wo",
    "norm": "encoder.final_layer_norm",
}
_T5_GATED = {
    "blocks/gate": "encoder.block.{layer}.layer.1.DenseReluDense.wi_0",
    "blocks/up": "encoder.block.{layer}.layer.1.DenseReluDense.wi_1",
}
_T5_PLAIN = {"blocks/up": "encoder.block.{layer}.layer.1.DenseReluDense.wi"}
_TABLES = {
    "bert": {
        "token": "embeddings.word_embeddings.weight",
        "position": "embeddings.position_embeddings.weight",
        "token_type": "embeddings.token_type_embeddings.weight",
    },
    # The first block holds the bias that all of them share.
    "t5": {
        "token": "shared.weight",
        "relative": "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    },
}
_ENDS = {"kernel": "weight", "scale": "weight", "bias": "bias"}


def their_name(module: TextModule, place: str) -> str:
    """Hugging Face's name of our parameter at `place` ("blocks/attention/query/kernel")."""
    if isinstance(module, T5Encoder):
        tables, modules = _TABLES["t5"], _T5_MODULES | (_T5_GATED if module.gated else _T5_PLAIN)
    else:
        tables, modules = _TABLES["bert"], _BERT_MODULES
    if place in tables:
        return tables[place]
    owner, _, end = place.rpartition("/")
    return f"{modules[owner]}.{_ENDS[end]}"


def harmless(family: str, config: dict) -> set[str]:
    """Tensors that its checkpoints may hold and an encoder has no use for, each by its name without PREFIXES."""
    if family == "t5":
        return _t5_decoder(config)
    both = {"embeddings.position_ids", "embeddings.token_type_ids"}  # counters 0, 1, 2, ...
    if family == "bert":
        norm = "cls.predictions.transform.LayerNorm"
        heads = [
            "cls.predictions.bias",
            "cls.predictions.transform.dense.weight",
            "cls.predictions.transform.dense.bias",
        ]
        heads += [f"{norm}.weight", f"{norm}.bias", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"]
        return both | {*heads, "cls.seq_relationship.weight", "cls.seq_relationship.bias"}
    parts = ("dense", "layer_norm", "decoder")
    return both | {"lm_head.bias"} | {f"lm_head.{part}.{end}" for part in parts for end in ("weight", "bias")}


def _t5_decoder(config: dict) -> set[str]:
    names = {"lm_head.weight", "decoder.embed_tokens.weight", "decoder.final_layer_norm.weight"}
    # Without a number of its own (older configs) or with null the decoder is as deep as the encoder.
    depth = ({"num_decoder_layers": None} | config)["num_decoder_layers"] or config["num_layers"]
    feed = ("wi", "wi_0", "wi_1", "wo")
    for block in range(depth):
        layers = f"decoder.block.{block}.layer"
        names |= {f"{layers}.{n}.layer_norm.weight" for n in range(3)}
        names |= {f"{layers}.0.SelfAttention.{part}.weight" for part in "qkvo"}
        names |= {f"{layers}.1.EncDecAttention.{part}.weight" for part in "qkvo"}
        names |= {f"{layers}.2.DenseReluDense.{part}.weight" for part in feed}
    first = "decoder.block.0.layer"
    own, crossed = "0.SelfAttention", "1.EncDecAttention"  # the second stands in the first T5 files, unused there too
    return names | {f"{first}.{place}.relative_attention_bias.weight" for place in (own, crossed)}
