"""`python -m tests.data.killed_conversion ROOT OUT PROCESSES`: a conversion that kills itself behind its third shard.

Its workers go on meanwhile, as they would, but never to the end: from the seventh shard on they wait to be ended.
"""

import os
import signal
import sys
from pathlib import Path

from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.store import convert

results, convert_shard = convert.results, convert.convert_shard


def killed(*words):
    for number, n_done in enumerate(results(*words), start=1):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield n_done


def waiting(job, shard, records):
    while shard > 5:
        signal.pause()
    return convert_shard(job, shard, records)


if __name__ == "__main__":
    convert.results, convert.convert_shard = killed, waiting
    root, out, processes = sys.argv[1:]
    convert.convert(
        open_source(Path(root), 100),
        Path(out),
        rate=100,
        seconds=2.0,
        processes=int(processes),
        progress=False,
        rows_per_shard=32,
    )
