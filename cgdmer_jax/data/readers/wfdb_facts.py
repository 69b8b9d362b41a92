"""Facts in the comments of a WFDB header, by the names that a source asks for; any other comment stays unread.

Comments are free text and may hold a patient's name: nothing leaves this file that was not asked for by its key.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.data.readers.record_files import beside, open_record_file, text_of
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.readers.wfdb_header import MOST_HEADER_BYTES

_LINE_END = re.compile(r"\r\n|\n|\r")
# "#Age: 74", "# Age: 74", "#<age>: 51"
_FACT = re.compile(r"#\s*<?(?P<key>[^:<>]{1,80}?)>?\s*:(?P<value>.*)")


def read_facts(path: Path, keys: Sequence[str], root: Path | None = None) -> dict[str, str]:
    """The values of these keys, whatever the case they are written in; "" where the header of `path` has none.

    Raises RecordError where the header cannot be read; whether it describes a recording is not looked at.
    """
    file = beside(path.parent, f"{path.name}.hea")
    with open_record_file(path, file, "no_header", root) as opened:
        if os.fstat(opened.fileno()).st_size > MOST_HEADER_BYTES:
            sentence = f"{file} exceeds {MOST_HEADER_BYTES:,} bytes and is no header; restore it"
            raise RecordError(str(path), "header", "size", sentence)
        text = text_of(opened.read())
    facts = dict.fromkeys(keys, "")
    names = {key.casefold(): key for key in keys}
    for line in _LINE_END.split(text):
        found = _FACT.fullmatch(line.strip())
        name = found and names.get(found["key"].casefold())
        if name and not facts[name]:
            facts[name] = found["value"].strip()
    return facts
