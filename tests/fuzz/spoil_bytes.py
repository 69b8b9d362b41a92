"""Mutations of a file's bytes, whatever it holds, and of its lines, words and numbers if it is text.

Each takes the content and a generator, and returns what it did and the new content, or None where it does not apply.
"""

import re
from collections.abc import Callable
from random import Random

Spoilt = tuple[str, bytes] | None
Mutator = Callable[[bytes, Random], Spoilt]

ODD_NUMBERS = (
    *("-1", "0", "1", "-0", "0.5", "1e308", "1e400", "-1e308", "1e-320", "nan", "NaN", "inf", "-Infinity"),
    *("9" * 19, "9" * 40, "1" * 5000, "2147483648", "4294967296", "9223372036854775808", "1e10", "65536", "100000000"),
    *(
        "\u0661\u0662",
        "\uff11\uff12",
        "\u00b2",
        "1_000",
        "0x10",
        "1,5",
        "+3",
        "007",
        "5.",
        ".5",
        "1.0.0",
        "1e",
        "--2",
        "",
        " ",
        "one",
        "True",
    ),
)
ODD_CHARACTERS = "\0\x1b\u2028\u202e\x85\ufeff\ud7ff\x0b\x1c\"'\\,;/\t #é\N{GREEK SMALL LETTER ALPHA}\U0001f600"
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[^\s,;:\"{}\[\]()/]+")


def _place(content: bytes, draw: Random) -> int:
    """Early places as often as any: what steers the reading stands there."""
    bound = len(content) if draw.random() < 0.6 else min(len(content), 300)
    return draw.randrange(bound) if bound else 0


def flip_bits(content: bytes, draw: Random) -> Spoilt:
    if not content:
        return None
    new, told = bytearray(content), []
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        byte, bit = _place(content, draw), draw.randrange(8)
        new[byte] ^= 1 << bit
        told.append(f"{byte}.{bit}")
    return f"bits {' '.join(told)} flipped", bytes(new)


def set_byte(content: bytes, draw: Random) -> Spoilt:
    if not content:
        return None
    byte, value = _place(content, draw), draw.choice((0, 255, 10, 128, draw.randrange(256)))
    return f"byte {byte} set to {value}", content[:byte] + bytes([value]) + content[byte + 1 :]


def cut(content: bytes, draw: Random) -> Spoilt:
    size = draw.choice((_place(content, draw), max(0, len(content) - draw.randint(1, 12))))
    return f"cut to {size} bytes", content[:size]


def drop_slice(content: bytes, draw: Random) -> Spoilt:
    start, n = _place(content, draw), draw.choice((1, 2, 4, 8, 100))
    return f"bytes {start} to {start + n} dropped", content[:start] + content[start + n :]


def repeat_slice(content: bytes, draw: Random) -> Spoilt:
    start, n = _place(content, draw), draw.choice((1, 2, 4, 8, 100))
    return f"bytes {start} to {start + n} twice", content[: start + n] + content[start:]


def insert(content: bytes, draw: Random) -> Spoilt:
    start = draw.choice((0, len(content), _place(content, draw)))
    new = draw.choice((b"\0", b"\n", b"\r\n", b"\r", draw.randbytes(draw.choice((1, 7, 200)))))
    return f"{new[:12]!r} inserted at {start}", content[:start] + new + content[start:]


def blank(content: bytes, draw: Random) -> Spoilt:
    start, n = _place(content, draw), draw.choice((4, 64, len(content)))
    n = len(content[start : start + n])
    return f"{n} bytes from {start} zero", content[:start] + bytes(n) + content[start + n :]


def empty(content: bytes, draw: Random) -> Spoilt:
    return "empty", b""


def other_file(content: bytes, draw: Random) -> Spoilt:
    new = draw.choice(
        (
            b"<!DOCTYPE html><html>404</html>\n",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n",
            b"PK\x03\x04" + bytes(30),
            b"\x1f\x8b\x08" + bytes(30),
            b"[" * 100_000,
            b"null",
            b"{}",
            b"\n" * 100,
        )
    )
    return f"holds {new[:20]!r}", new


def lines_moved(content: bytes, draw: Random) -> Spoilt:
    lines = content.splitlines(keepends=True)
    if not 1 < len(lines) < 100_000:
        return None
    one, two = draw.randrange(len(lines)), draw.randrange(len(lines))
    how = draw.choice(("dropped", "twice", "swapped with", "in place of", "joined", "many times"))
    if how == "dropped":
        del lines[one]
    elif how == "twice":
        lines.insert(one, lines[one])
    elif how == "many times":
        lines[one] *= 300
    elif how == "swapped with":
        lines[one], lines[two] = lines[two], lines[one]
    elif how == "in place of":
        lines[one] = lines[two]
    else:
        lines[one] = lines[one].rstrip(b"\r\n")
    return f"line {one + 1} {how} {two + 1 if how.endswith(('with', 'of')) else ''}".rstrip(), b"".join(lines)


def number_replaced(content: bytes, draw: Random) -> Spoilt:
    found = list(_NUMBER.finditer(content))
    if not found:
        return None
    one, new = draw.choice(found), draw.choice(ODD_NUMBERS)
    return f"{one[0][:20]!r} at {one.start()} is {new[:20]!a}", _replaced(content, one, new.encode())


def word_replaced(content: bytes, draw: Random) -> Spoilt:
    found = list(_WORD.finditer(content))
    if not found:
        return None
    one = draw.choice(found)
    new = draw.choice((draw.choice(found)[0], b"", b"x" * 5000, one[0] * 2, one[0].swapcase(), one[0][::-1]))
    return f"{one[0][:20]!r} at {one.start()} is {new[:20]!r}", _replaced(content, one, new)


def _replaced(content: bytes, found: re.Match, new: bytes) -> bytes:
    return content[: found.start()] + new + content[found.end() :]


def cells_moved(content: bytes, draw: Random) -> Spoilt:
    """Cells between commas or blanks of one line."""
    lines = content.split(b"\n")
    number = draw.randrange(len(lines))
    mark = draw.choice((b",", b" ", b"\t"))
    cells = lines[number].split(mark)
    if len(cells) < 2:
        return None
    one, two = draw.randrange(len(cells)), draw.randrange(len(cells))
    how = draw.choice(("dropped", "twice", "swapped", "copied", "empty"))
    if how == "dropped":
        del cells[one]
    elif how == "twice":
        cells.insert(one, cells[one])
    elif how == "swapped":
        cells[one], cells[two] = cells[two], cells[one]
    elif how == "copied":
        cells[one] = cells[two]
    else:
        cells[one] = b""
    lines[number] = mark.join(cells)
    return f"line {number + 1}: cells {one} {two} {how}", b"\n".join(lines)


def other_encoding(content: bytes, draw: Random) -> Spoilt:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    how = draw.choice(("utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp037", "crlf", "cr", "character"))
    if how in ("crlf", "cr"):
        return how, text.replace("\n", {"crlf": "\r\n", "cr": "\r"}[how]).encode()
    if how == "character":
        place, new = draw.randrange(len(text) + 1), draw.choice(ODD_CHARACTERS)
        return f"{new!a} inserted at {place}", (text[:place] + new + text[place:]).encode()
    return f"as {how}", text.encode(how, errors="replace")


BYTES: tuple[Mutator, ...] = (
    *(flip_bits, flip_bits, set_byte, cut, drop_slice, repeat_slice, insert, blank, empty, other_file),
)
TEXT: tuple[Mutator, ...] = (
    *(number_replaced, number_replaced, word_replaced, lines_moved, cells_moved, other_encoding),
)
