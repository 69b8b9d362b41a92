"""Embeds a folder in parts of two records, and kills itself at the record that is read as the so-and-so-many-th.

`python -m tests.commands.killed_embed NUMBER --model=... --records=... --out=...`
"""

import os
import signal
import sys

from cgdmer_jax.commands.embed import main
from cgdmer_jax.recipes import embed_recordings

if __name__ == "__main__":
    number, words = int(sys.argv[1]), sys.argv[2:]
    embed_recordings.RECORDS_A_PART = 2
    read, seen = embed_recordings.read_recording, []

    def read_recording(location, **given):
        seen.append(location)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(location, **given)

    embed_recordings.read_recording = read_recording
    sys.exit(main(words))
