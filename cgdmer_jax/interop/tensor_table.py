"""Tensors of somebody else's file against those that are needed: all that does not fit, in one table."""

from collections.abc import Mapping, Sequence

from cgdmer_jax.errors import CgdmerError

MOST_TOLD = 40  # lines of the table; the rest is counted
Shapes = Mapping[str, Sequence[int]]  # by the tensor's name


def check_tensors(found: Shapes, needed: Shapes, sentence: str, mistyped: Sequence[str] = ()) -> None:
    """Raises `sentence` with the table unless names and shapes are the same; `mistyped` are further lines of it."""
    both = sorted(needed.keys() & found.keys())
    table = [f"missing     {name} {list(needed[name])}" for name in sorted(needed.keys() - found.keys())]
    table += [f"extra       {name} {list(found[name])}" for name in sorted(found.keys() - needed.keys())]
    table += [
        f"mis-shaped  {name} {list(found[name])}, expected {list(needed[name])}"
        for name in both
        if list(found[name]) != list(needed[name])
    ]
    table += [f"mis-typed   {line}" for line in mistyped]
    if table:
        more = [f"and {len(table) - MOST_TOLD} more"] if len(table) > MOST_TOLD else []
        raise CgdmerError(sentence + "".join(f"\n  {line}" for line in [*table[:MOST_TOLD], *more]))
