"""Import path of `read_wfdb` in version 0.1, which the README showed; it goes with version 0.2."""

import warnings

from cgdmer_jax.data.readers.wfdb import RECORD_PROBLEMS, RecordError, Recording, read_wfdb

__all__ = ["RECORD_PROBLEMS", "RecordError", "Recording", "read_wfdb"]

# Python shows a FutureWarning to every user, a DeprecationWarning to testers alone.
warnings.warn(
    "cgdmer_jax.data.wfdb_reader is now cgdmer_jax.data.readers.wfdb; change the import, this path goes with 0.2",
    FutureWarning,
    stacklevel=2,
)
