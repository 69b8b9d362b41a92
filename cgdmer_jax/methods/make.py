"""From plain values (a config, the config.json of a model folder) to a method object."""

from collections.abc import Callable, Mapping

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.fields import called, from_fields
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.delineate.config import DelineateConfig
from cgdmer_jax.methods.finetune.config import FinetuneConfig
from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.methods.protocol import Method

MOST_TOKENS = 1 << 20  # of a report


def named_method(name: str, where: str = "config.method") -> tuple[Callable[..., Method], type]:
    """Maker of the method of that name, and the class of its config; `where` as for `make_method`."""
    if name not in METHODS:
        raise CgdmerError(f'{where}_name is "{name:.80}".{suggest(name, METHODS)}')
    return METHODS[name]


def make_method(
    name: str,
    fields: Mapping[str, object],
    *,
    n_leads: int,
    n_samples: int,
    rate: float | int,
    vocabulary: int,
    max_tokens: int,
    full_stop: int,
    where: str = "config.method",
    remedy: str = "",
) -> Method:
    """The method of that name; `fields` are exactly those of its config class.

    `where` is what they are called in an error, and `remedy` ends it where they were read from a file.
    """
    method, kind = named_method(name, where)
    config = from_fields(kind, fields, where, remedy=remedy)
    size = {"n_leads": n_leads, "n_samples": n_samples, "rate": rate, "max_tokens": max_tokens}
    words = {"vocabulary": vocabulary, "full_stop": full_stop}
    if isinstance(config, FinetuneConfig | DelineateConfig):
        inner = called(where, "encoder")
        encoder = make_method(config.encoder_name, config.encoder, **size, **words, where=inner, remedy=remedy)
        if isinstance(encoder, Finetune) or not encoder.declared.recordings:
            raise CgdmerError(f'{inner}_name is "{config.encoder_name}", which is no pretrained encoder of recordings')
        return method(config, encoder, **size)
    return method(config, **size, **words)
