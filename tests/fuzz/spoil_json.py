"""Mutations of a JSON value: fields of another type, odd numbers, names missing, added or said twice."""

import copy
import json
from random import Random

from tests.fuzz.spoil_bytes import Spoilt

ODD_VALUES = (
    *(None, True, False, -1, 0, 1, 2, 3, 7, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), -float("inf")),
    *(10**30, 2**31, 2**63, 65536, 10**9, -(2**63), "", "x", "1", "nan", "../../x", "/", "\0", "\u202e", "\ud800"),
    *("x" * 5000, [], {}, [1], ["x"], [None], [[]], {"a": 1}, [1e308, "x"], [0] * 2000, [[[[[[1]]]]]]),
)


def json_changed(content: bytes, draw: Random) -> Spoilt:
    """One to three changes at random places of a JSON file; None where it is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):  # nested too deep by an earlier change
        return None
    holder, told = {"": value}, []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        told.append(change_value(holder, draw))
    return "; ".join(told), json.dumps(holder[""]).encode()


def json_line_changed(content: bytes, draw: Random) -> Spoilt:
    """The same in one line of a file of JSON lines."""
    lines = content.split(b"\n")
    number = draw.randrange(len(lines))
    found = json_changed(lines[number], draw)
    if found is None:
        return None
    lines[number] = found[1]
    return f"line {number + 1}: {found[0]}", b"\n".join(lines)


def change_value(holder: dict, draw: Random) -> str:
    """Changes the value under "" of `holder` in one place; says what it did."""
    places = _places(holder[""])
    path = draw.choice(places) if draw.random() < 0.95 else ()
    parent, key = holder, ""
    for step in path:
        parent, key = parent[key], step
    where = ".".join(map(str, path)) or "the whole"
    how = draw.choice(("value", "value", "value", "value", "dropped", "renamed", "added", "of another", "twice"))
    if how == "dropped" and path:
        del parent[key]
    elif how == "renamed" and isinstance(parent, dict) and path:
        parent[key + "x"] = parent.pop(key)
    elif how == "added" and isinstance(parent[key], dict):
        parent[key]["surplus"] = copy.deepcopy(draw.choice(ODD_VALUES))
    elif how == "twice" and isinstance(parent, list):
        parent.insert(key, parent[key])
    elif how == "of another":
        other = holder[""]
        for step in draw.choice(places):
            other = other[step]
        parent[key] = json.loads(json.dumps(other))
    elif isinstance(parent[key], int | float) and not isinstance(parent[key], bool) and draw.random() < 0.5:
        parent[key] = _near(parent[key], draw)
        how = f"is {parent[key]!r}"
    else:
        parent[key] = copy.deepcopy(draw.choice(ODD_VALUES))
        how = f"is {parent[key]!r:.30}"
    return f"{where} {how}"


def _near(number: float, draw: Random) -> float:
    """Another number that a hasty check takes."""
    ways = (number + 1, number - 1, -number, number * 2, number * 1000, number / 2, float(number), str(number))
    return draw.choice(ways)


def _places(value: object, path: tuple = ()) -> list[tuple]:
    found = [path]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += _places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:20]):
            found += _places(inner, (*path, number))
    return found
