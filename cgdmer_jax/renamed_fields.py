"""Config fields whose name has changed: the old one works in this version, on the command line and in what was stored.

Run folders, model folders and results keep what was written into them; they are translated when they are read.
"""

from collections.abc import Mapping
from functools import cache

from cgdmer_jax.errors import CgdmerError

RENAMED = {
    "method.hide_ratio": "method.mask_ratio",
    "method.align_hide_ratio": "method.align_mask_ratio",
    "method.language_ratio": "method.mlm_ratio",
    "method.text_rate": "method.text_lr_multiplier",
    "method.embedding": "method.embed_dim",
    "method.chunks": "method.microbatches",
}
OLD = {new: old for old, new in RENAMED.items()}


def renamed(config: Mapping[str, object], where: str, prefix: str = "") -> dict[str, object]:
    """A stored config with today's names; nested, flat (`a.b`), or the group whose names begin with the prefix.

    `where` is named in the error on one that holds both names of a field.
    """
    made = {}
    for name, value in config.items():
        new = RENAMED.get(prefix + name, prefix + name).removeprefix(prefix)
        if new != name and new in config:
            raise CgdmerError(
                f"{where} holds {prefix + name} beside {prefix + new}, one field; restore it from a backup"
            )
        made[new] = renamed(value, where, f"{prefix}{name}.") if isinstance(value, Mapping) else value
    return made


@cache
def tell(old: str, where: str = "") -> None:
    """Says once a process that a field has another name now."""
    print(f"{where}config.{old} is now config.{RENAMED[old]}; the old name works in this version")
