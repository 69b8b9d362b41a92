"""Type checker for jaxtyping's import hook: it checks the first calls of each function, then lets it run unchecked.

Checking costs more than most of the functions do, and what a function is given in its thousandth call of a test run
has the types of the first hundred.
"""

import functools
import sys
from collections import Counter
from collections.abc import Callable

from beartype import beartype

CHECKED_CALLS = 100
# It asks isinstance of array types itself; unchecked, its arrays would share the axes of whoever called it.
ALWAYS = ("cgdmer_jax.report.json_fields",)
_calls: Counter[tuple[str, str]] = Counter()


def first_calls(function: Callable) -> Callable:
    """beartype's check of `function`, which jaxtyping calls with the arguments, and with the result, of one like it."""
    checked = beartype(function)
    if not hasattr(function, "__qualname__") or isinstance(function, type) or function.__module__ in ALWAYS:
        return checked
    name = function.__module__, function.__qualname__

    @functools.wraps(checked)
    def counted(*args: object, **kwargs: object) -> object:
        _calls[name] += 1
        if _calls[name] == 2 * CHECKED_CALLS:  # a check of the arguments and one of the result are a call
            let_run(*name)
        return checked(*args, **kwargs)

    return counted


def let_run(module: str, qualname: str) -> None:
    """Marks what stands under that name as jaxtyping's to leave alone; a function within a function stands nowhere."""
    found: object = sys.modules.get(module)
    for part in qualname.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
    while callable(found):  # Flax wraps methods again
        found.__no_type_check__ = True
        found = getattr(found, "__wrapped__", None)
