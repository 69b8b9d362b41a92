"""The lines of metrics.jsonl, each with a checksum of its own: the curves are shown."""

import json
import re
import zlib
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.fields import is_number
from cgdmer_jax.json_file import parse_json
from cgdmer_jax.whole_file import open_plain

MOST_STEPS = (1 << 31) - 1  # counted in int32
METRICS = "metrics.jsonl"  # in the run folder
CHECKSUM = "crc32"  # a field, the last one; lines of earlier versions have none
_ENDING = re.compile(rb'(?s)(.*), "crc32": "([0-9a-f]{8})"\}')
REMEDY = "correct or delete that line"


def line_of(record: dict) -> bytes:
    """The record as a line of the file."""
    text = json.dumps(record)[:-1].encode()
    return text + f', "{CHECKSUM}": "{zlib.crc32(text):08x}"}}\n'.encode()


def read_metrics(path: Path) -> list[dict]:
    """The records of all finished lines; a kill can only have left the last one unfinished."""
    try:
        with open_plain(path) as file:
            *lines, last = file.read().split(b"\n")
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); restore it from a backup") from error
    if b"}" in last:  # a kill leaves the beginning of a line, never one that is whole but for its end
        lines.append(last)
    return [_record(line, f"line {number} of {path}") for number, line in enumerate(lines, start=1)]


def _record(line: bytes, where: str) -> dict:
    ending = _ENDING.fullmatch(line)
    if ending is not None:
        if zlib.crc32(ending[1]) != int(ending[2], 16):
            raise CgdmerError(f"{where} differs from what was written ({CHECKSUM}); {REMEDY}")
        line = ending[1] + b"}"
    record = parse_json(line, Path(where), remedy=REMEDY)
    if not _is_record(record):
        raise CgdmerError(f"{where} is not a step with its figures; {REMEDY}")
    return record


def _is_record(record: object) -> bool:
    """Figures by name; null is one that was not known, and a loss may have been NaN or infinite."""
    if not isinstance(record, dict) or type(record.get("step")) is not int or not 0 <= record["step"] <= MOST_STEPS:
        return False
    return all(value is None or type(value) is float or is_number(value) for value in record.values())
