"""From plain values (a config, the config.json of a model folder) to a method object."""

from collections.abc import Mapping

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.fields import from_fields
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.protocol import Method

MOST_TOKENS = 1 << 20  # of a report


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
    if name not in METHODS:
        raise CgdmerError(f'config.method_name is "{name}".{suggest(name, METHODS)}')
    method, kind = METHODS[name]
    return method(
        from_fields(kind, fields, where, remedy=remedy),
        n_leads=n_leads,
        n_samples=n_samples,
        rate=rate,
        vocabulary=vocabulary,
        max_tokens=max_tokens,
        full_stop=full_stop,
    )
