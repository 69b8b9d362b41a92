"""Mutations of files of tensors that keep their form: another header, other numbers, another pickle in a whole zip."""

import io
import struct
import warnings
import zipfile
from random import Random

from tests.fuzz.spoil_bytes import BYTES
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.spoil_json import json_changed

LENGTH = 8  # bytes that say how long the header of a safetensors file is


def safetensors_changed(tree: Tree, name: str, draw: Random) -> str | None:
    """Another header, its length right; or an odd number in place of one."""
    content = tree.get(name)
    if not isinstance(content, bytes) or len(content) < LENGTH:
        return None
    (length,) = struct.unpack("<Q", content[:LENGTH])
    header, numbers = content[LENGTH : LENGTH + length], content[LENGTH + length :]
    if draw.random() < 0.4 and len(numbers) > 4:
        place = draw.randrange(len(numbers) // 4) * 4
        odd = draw.choice((float("nan"), float("inf"), -1e38, 3e38, 0.0, 1e-40))
        tree[name] = content[: LENGTH + length] + numbers[:place] + struct.pack("<f", odd) + numbers[place + 4 :]
        return f"{name}: the number at {place} is {odd}"
    found = json_changed(header, draw)
    if found is None:
        return None
    tree[name] = struct.pack("<Q", len(found[1])) + found[1] + numbers
    return f"{name}: header: {found[0]}"


def zip_changed(tree: Tree, name: str, draw: Random) -> str | None:
    """A part of a zip file spoilt, dropped, said twice, renamed or packed, the file whole around it."""
    content = tree.get(name)
    if not isinstance(content, bytes) or not zipfile.is_zipfile(io.BytesIO(content)):
        return None
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts = [(part.filename, old.read(part)) for part in old.infolist()]
    number = draw.randrange(len(parts))
    part, inner = parts[number]
    how, packing = draw.choice(("spoilt",) * 6 + ("dropped", "twice", "renamed", "packed")), zipfile.ZIP_STORED
    if how == "spoilt":
        how, inner = draw.choice(BYTES)(inner, draw) or ("left as it is", inner)
        parts[number] = (part, inner)
    elif how == "dropped":
        del parts[number]
    elif how == "renamed":
        parts[number] = (draw.choice(("x", f"../{part}", part.upper(), "")), inner)
    elif how == "twice":
        parts.append((part, inner[::-1]))
    else:
        packing = zipfile.ZIP_DEFLATED
    new = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(new, "w", packing) as file:  # of a name twice
        for one, held in parts:
            file.writestr(zipfile.ZipInfo(one), held, packing)
    tree[name] = new.getvalue()
    return f"{name}: {part}: {how}"
