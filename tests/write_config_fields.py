"""Writes docs/config_fields.md: every field of a config, with its default and meaning.

`python -m tests.write_config_fields`
"""

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

from cgdmer_jax.fields import MEANING, values_of
from cgdmer_jax.methods import METHODS
from cgdmer_jax.recipes.config_fields import Config, DataConfig, LabelledConfig, ReportsConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig

PAGE = Path(__file__).parents[1] / "docs/config_fields.md"
HEAD = """# Config fields

Made by `python -m tests.write_config_fields` from the dataclasses where each field has its default, its meaning and the
values that it may have. The files in `configs/` state only what they change; `python -m experiments.pretrain
--config=FILE:SIZE --config_help` lists the values of one config. Any field is set on the command line:
`--config.method.dtype=bfloat16`. Another value is refused by the field's name before anything is read, and so it is in
the `config.json` of a run or model folder.
"""
SECTIONS = {
    "All configs": [("", Config)],
    **{f"`method` of {name}": [("method.", kind)] for name, (_, kind) in METHODS.items()},
    "`data` of cgdmer, cmelt, kmerl and merl": [("data.", DataConfig)],
    "`data` of masked_text": [("data.", ReportsConfig)],
    "`data` of finetune": [("data.", LabelledConfig)],
    "`optimizer`": [("optimizer.", OptimizerConfig)],
    "`run`": [("run.", RunConfig)],
}


def nested(hint: type) -> list[type]:
    """Dataclasses that a field may hold: of `A | B` both."""
    return [kind for kind in (typing.get_args(hint) or (hint,)) if dataclasses.is_dataclass(kind)]


def table_lines(kind: type, prefix: str) -> Iterator[str]:
    """One line a field; a nested dataclass's own fields follow theirs."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, meaning = prefix + field.name, field.metadata[MEANING].replace("|", "\\|")
        inner = nested(hints[field.name])
        default = field.default_factory() if callable(field.default_factory) else field.default
        if not inner:
            yield f"| `{name}` | `{default!r}` | {values_of(field)} | {meaning} |"
            continue
        yield f"| `{name}` | {' or '.join(one.__name__ for one in inner)} | | {meaning} |"
        for one in inner:
            start = default if isinstance(default, one) else one()
            for own in dataclasses.fields(one):
                where = f" ({one.__name__})" if len(inner) > 1 else ""
                shown = f"`{getattr(start, own.name)!r}` | {values_of(own)} | {own.metadata[MEANING]}{where}"
                yield f"| `{name}.{own.name}` | {shown} |"


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, kinds in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| field | default | values | meaning |\n|---|---|---|---|\n")
        parts += [f"{line}\n" for prefix, kind in kinds for line in table_lines(kind, prefix)]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
