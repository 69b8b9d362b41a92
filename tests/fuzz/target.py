"""A target: what is spoilt, how it is read, and what one try comes to."""

import contextlib
import copy
import io
import random
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from cgdmer_jax.errors import CgdmerError
from tests.fuzz.spoil_folder import OfFormat, Tree, read_tree, spoil, write_tree

NAMED, HARMLESS, CHANGED, FAULT = "named", "harmless", "changed", "fault"
LONGEST_SENTENCE = 2100  # characters of a line, with room for the end of one that was cut
Values = dict[str, object]  # what was read, by a name that tells what it is; compared by ==


class Try(NamedTuple):
    """One try. `told`: the sentence of a refusal, what is wrong with a fault. `fields`: names of the changed values."""

    number: int
    mutation: str
    outcome: str
    told: str
    fields: tuple[str, ...]
    seconds: float


class Target(Protocol):
    def prepare(self, scratch: Path) -> None:
        """Makes what is going to be spoilt, once."""

    def spoil(self, draw: random.Random) -> str:
        """Puts a new spoilt copy in place; says what is spoilt."""

    def read(self) -> Values:
        """The values, or CgdmerError. Anything else is a fault, a value that cannot be right (`assert`) too."""

    def expected(self) -> Values:
        """The values of what is whole."""


class FolderTarget:
    """Folders side by side, each with its reader: `make` writes them all, and those are read in which a name is spoilt.

    `reseal`: writes the hashes of what is there now, given the spoilt names, so that damage passes for something
    written so; every second try has it. `kept`: beginnings of names that are not spoilt.
    """

    def __init__(
        self,
        make: Callable[[Path], object],
        readers: dict[str, Callable[[Path], Values]],
        *,
        of_format: Sequence[OfFormat] = (),
        reseal: Callable[[Path, set[str]], None] | None = None,
        kept: tuple[str, ...] = (),
    ):
        self.make, self.readers, self.of_format, self.reseal, self.kept = make, readers, of_format, reseal, kept
        self.tree: Tree = {}
        self.whole: dict[str, Values] = {}
        self.spoilt: set[str] = set()
        self.folder = Path()

    def prepare(self, scratch: Path) -> None:
        self.folder = scratch / "folder"
        self.folder.mkdir(parents=True)
        self.make(self.folder)
        self.tree = read_tree(self.folder)
        with quiet():
            self.whole = {name: read(self.folder / name) for name, read in self.readers.items()}

    def spoil(self, draw: random.Random) -> str:
        tree = copy.copy(self.tree)
        told, self.spoilt = spoil(tree, draw, self.of_format, self.kept)
        write_tree(tree, self.folder)
        if self.reseal is not None and draw.random() < 0.5:
            # What cannot be sealed any more, or is a pipe, stays damaged.
            with contextlib.suppress(Exception, Hang), quiet(), at_most(2.0):
                self.reseal(self.folder, self.spoilt)
            told += "; sealed again"
        return told

    def parts(self) -> list[str]:
        return sorted({name.split("/")[0] for name in self.spoilt} & self.readers.keys())

    def read(self) -> Values:
        """Values of every part in which something is spoilt; a part that is refused does not end the others."""
        values, refused = {}, None
        for part in self.parts():
            try:
                values |= self.readers[part](self.folder / part)
            except CgdmerError as error:
                refused = refused or error
        if refused:
            raise refused
        return values

    def expected(self) -> Values:
        values = {}
        for part in self.parts():
            values |= self.whole[part]
        return values


class Hang(BaseException):
    """A try that took too long."""


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """Whatever is printed meanwhile."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def spoil_for(target: Target, name: str, seed: int, number: int) -> str:
    """The try of that number is the same whenever and wherever it is made."""
    return target.spoil(random.Random(f"{name} {seed} {number}"))


def outcome(target: Target, seconds: float) -> tuple[str, str, tuple[str, ...]]:
    """Outcome, what is told, names of changed values."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with at_most(seconds), quiet():
                values = target.read()
        except CgdmerError as error:
            unfit = unfit_sentence(str(error))
            return (FAULT, unfit, ()) if unfit else (NAMED, str(error), ())
        except Hang:
            return FAULT, f"not done after {seconds:g} s", ()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit of a library too
            return FAULT, _where(error), ()
    # Tasks of Orbax that a failed load leaves warn from wherever they are collected.
    ours = [one for one in warned if "site-packages" not in one.filename and "never awaited" not in str(one.message)]
    if odd := [one for one in ours if issubclass(one.category, RuntimeWarning)]:  # an overflow, a NaN
        return FAULT, f"{odd[0].category.__name__}: {odd[0].message} ({odd[0].filename}:{odd[0].lineno})", ()
    whole = target.expected()
    fields = tuple(sorted(name for name in values.keys() | whole.keys() if not _same(values, whole, name)))
    if told := [str(one.message) for one in ours if one.category is UserWarning]:
        return NAMED, told[0], fields
    return (CHANGED if fields else HARMLESS), "", fields


def unfit_sentence(sentence: str) -> str:
    """Fault of a sentence for its reader; empty where it has none. Only a table of tensors may have further lines."""
    first, *table = sentence.split("\n")
    if not first.strip():
        return "an empty sentence"
    if any(not line.startswith("  ") for line in table):
        return f"several lines: {sentence!r:.300}"
    if len(longest := max((first, *table), key=len)) > LONGEST_SENTENCE:
        return f"a line of {len(longest):,} characters: {longest:.200}"
    if "Traceback" in sentence:
        return f"a traceback in the sentence: {sentence!r:.300}"
    return ""


def _same(values: Values, whole: Values, name: str) -> bool:
    return name in values and name in whole and values[name] == whole[name]


def _where(error: BaseException) -> str:
    """The error and the lines of the package that led to it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "cgdmer_jax/" in frame.filename]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))
    return f"{type(error).__name__}: {str(error)[:300]} [{places}]"
