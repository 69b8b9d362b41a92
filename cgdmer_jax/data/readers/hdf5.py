"""HDF5 files in the layouts of CODE-15 % and CODE-test (`tracings`) and of SPH (`ecg`), or with one array of samples.

The publishers write neither rate, leads nor unit into their files; these follow from the layout, and of other files
from hints. Nothing but the samples and the ids of exams is read.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Integer, Shaped

from cgdmer_jax.data.readers.arrays import as_published, check_array, recording_of
from cgdmer_jax.data.readers.reader import Format, Hints, Location, fault, open_recording
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.waveform.lead_names import LEADS

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"
TRACINGS, EXAM_ID, ECG = "tracings", "exam_id", "ecg"
SPH_FILE = re.compile(r"A\d{5}\.h5", re.ASCII)  # others call an array "ecg" too
# What the publishers' documentation says. Of CODE the unit is said as "V times 1000", and the order of leads in two
# ways: that of the limb leads' own equations, checked on ten exams, is this one.
CODE, SPH = Hints(400.0, LEADS, "mV"), Hints(500.0, LEADS, "mV")
MOST_ARRAYS = 1000
MOST_RECORDINGS = 1_000_000  # in a file
MOST_CHUNK_BYTES = 1 << 31  # unpacked; HDF5 unpacks a whole chunk for whatever part of it is read


def read_hdf5(path: str | Path, root: Path | None, hints: Hints, member: str | None = None) -> Recording:
    """Reads an HDF5 file into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `root`: folder below which the file must lie once links are followed; None = anywhere. `hints`: rate, leads and unit
    where the file is of no published layout. `member`: id of the exam, or its number where the file has no ids. Sizes
    are checked before memory is allocated. The zeros that fill up a tracing of CODE at both ends are cut off.

    Raises RecordError where the file is damaged or has no array of samples, and where there is no such exam.
    """
    location = Location(Path(path), member)
    with _opened(location, root) as file:
        array = _samples(location, file)
        name = array.name.removeprefix("/")
        facts = as_published(location, name, _published(location, name), hints)
        shape = array.shape if member is None else array.shape[1:]
        if member is None and len(shape) == 3:
            if not shape[0]:
                raise fault(location, "length", "array", "it holds no recording; leave it out")
            sentence = f"its file holds {array.shape[0]:,} recordings; name one as {location.path.name}#EXAM"
            raise fault(location, "no_signal_file", "member", sentence)
        place = () if member is None else _place(location, file, array)
        check_array(location, shape, array.dtype, facts)
        signal = array[place]
    return recording_of(location, _without_filling(location, signal) if name == TRACINGS else signal, facts)


def members(path: Path, root: Path | None) -> list[Location]:
    """One location, or one for each exam; ids where the file has them, else numbers."""
    location = Location(path)
    with _opened(location, root) as file:
        array = _samples(location, file)
        if len(array.shape) != 3 or not array.shape[0]:
            return [location]
        return [Location(path, str(one)) for one in _ids(location, file, array).tolist()]


@contextmanager
def _opened(location: Location, root: Path | None) -> Iterator["h5py.File"]:
    """The file; what HDF5 says of a damaged one becomes a RecordError."""
    import h5py  # a fifth of a second to import, and few collections are HDF5

    with open_recording(location, root) as plain:
        try:
            with h5py.File(plain.name, "r", locking=False) as file:
                yield file
        except RecordError:
            raise
        except OSError as error:
            if error.errno:  # of the system, not of the content
                raise
            raise _damaged(location) from error
        except Exception as error:  # h5py turns HDF5's hundreds of codes into any of the built-in errors
            raise _damaged(location) from error


def _damaged(location: Location) -> RecordError:
    return fault(location, "format", "file", "its file is no HDF5, or a damaged one; fetch the record again")


def _samples(location: Location, file: "h5py.File") -> "h5py.Dataset":
    """The array of samples: one that a publisher names, or the only one of two axes or more."""
    names = [name for name in (TRACINGS, ECG) if name in file] or [*file][:MOST_ARRAYS]
    arrays = [array for name in names if (array := _array(location, file, name)) is not None]
    arrays = [array for array in arrays if len(array.shape or ()) >= 2]
    if len(arrays) != 1:
        sentence = f'its file has {len(arrays)} arrays of two axes or more, expected "{TRACINGS}", "{ECG}" or one alone'
        raise fault(location, "format", "array", f"{sentence}; write the samples to a file of their own")
    return arrays[0]


def _published(location: Location, name: str) -> Hints:
    """Rate, leads and unit that the publisher of this layout gives for its samples."""
    if name == TRACINGS:
        return CODE
    return SPH if name == ECG and SPH_FILE.fullmatch(location.path.name) else Hints()


def _array(location: Location, file: "h5py.File", name: str) -> "h5py.Dataset | None":
    """The array of that name, if it is one, with its samples in this very file."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise fault(
            location, "outside", "array", f"its file links to another one ({name:.80}); copy the samples into it"
        )
    array = file[name]
    if not isinstance(array, h5py.Dataset):
        return None
    if array.external or array.is_virtual:
        raise fault(location, "outside", "array", "its file keeps its samples in another one; copy them into it")
    if array.chunks and np.prod(array.chunks, dtype=float) * array.dtype.itemsize > MOST_CHUNK_BYTES:
        raise fault(location, "size", "array", "its file has chunks of over 2 GiB; write it in smaller ones")
    return array


def _ids(location: Location, file: "h5py.File", array: "h5py.Dataset") -> Integer[np.ndarray, " exam"]:
    """Ids of the exams in their order, or numbers from 0 on where the file has none."""
    n_exams = array.shape[0]
    if n_exams > MOST_RECORDINGS:
        sentence = f"its file holds {n_exams:,} recordings, but at most {MOST_RECORDINGS:,} are read; split it"
        raise fault(location, "size", "array", sentence)
    ids = _array(location, file, EXAM_ID) if EXAM_ID in file else None
    if ids is None:
        return np.arange(n_exams)
    if ids.shape != (n_exams,) or ids.dtype.kind not in "iu":
        raise fault(location, "header", EXAM_ID, f'its "{EXAM_ID}" does not give every exam a number; fetch it again')
    return ids[()]


def _place(location: Location, file: "h5py.File", array: "h5py.Dataset") -> int:
    """Place of the exam that is asked for."""
    if len(array.shape) != 3:
        raise fault(location, "no_signal_file", "member", "its file holds one recording alone; name the file itself")
    ids = _ids(location, file, array)
    is_number = re.fullmatch(r"[0-9]{1,18}", location.member)
    found = np.flatnonzero(ids == int(location.member)) if is_number else ()
    if len(found) != 1:
        exams = f"{len(found)} exams" if len(found) else "no exam"
        sentence = f"its file holds {exams} of that id; name one of its {len(ids):,}"
        raise fault(location, "no_signal_file", "member", sentence)
    return int(found[0])


def _without_filling(location: Location, signal: Shaped[np.ndarray, "time lead"]) -> Shaped[np.ndarray, "rest lead"]:
    """The samples without those at both ends that are zero in every lead."""
    measured = np.flatnonzero((signal != 0).any(axis=1))
    if not measured.size:
        raise fault(location, "length", "length", "its tracing is zero from end to end; leave it out")
    return signal[measured[0] : measured[-1] + 1]


FORMAT = Format(
    endings=(".h5", ".hdf5", ".hdf"),
    fits=lambda beginning: beginning.startswith(MAGIC),
    read=lambda location, root, hints: read_hdf5(location.path, root, hints, location.member),
    members=members,
)
