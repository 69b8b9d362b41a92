"""Tensors of a file against those that are needed; of somebody else's file all that does not fit, in one table."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError

MOST_TOLD = 40  # lines of the table; the rest is counted
Shapes = Mapping[str, Sequence[int]]  # by the tensor's name


class Mismatch(NamedTuple):
    """Names of tensors that do not fit, sorted."""

    missing: list[str]
    extra: list[str]
    differing: list[str]  # there, but of another kind


def mismatch(found: Mapping[str, object], needed: Mapping[str, object]) -> Mismatch:
    """Differences in names, and in what is told of each tensor: shape, or dtype and shape."""
    both = sorted(needed.keys() & found.keys())
    return Mismatch(
        sorted(needed.keys() - found.keys()),
        sorted(found.keys() - needed.keys()),
        [name for name in both if found[name] != needed[name]],
    )


def check_tensors(found: Shapes, needed: Shapes, sentence: str, mistyped: Sequence[str] = ()) -> None:
    """Raises `sentence` with the table unless names and shapes are the same; `mistyped` are further lines of it."""
    found, needed = ({name: list(shape) for name, shape in shapes.items()} for shapes in (found, needed))
    unfit = mismatch(found, needed)
    table = [f"missing     {name} {needed[name]}" for name in unfit.missing]
    table += [f"extra       {name} {found[name]}" for name in unfit.extra]
    table += [f"mis-shaped  {name} {found[name]}, expected {needed[name]}" for name in unfit.differing]
    table += [f"mis-typed   {line}" for line in mistyped]
    if table:
        more = [f"and {len(table) - MOST_TOLD} more"] if len(table) > MOST_TOLD else []
        raise CgdmerError(sentence + "".join(f"\n  {line}" for line in [*table[:MOST_TOLD], *more]))
