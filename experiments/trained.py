"""A run folder as a method with weights, and its features of a corpus, cached by content."""

import functools
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int64
from ml_collections import ConfigDict
from tokenizers import Tokenizer

import cgdmer_jax
from cgdmer_jax.batch import Batch
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.reports import load_tokenizer, tokenizer_sha256
from cgdmer_jax.data.tokens import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.npz_file import read_arrays, write_arrays
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.run_folder import REMEDY, RunFolder
from cgdmer_jax.training.state import NEVER, TrainState
from experiments import build

# On 2 CPU cores, two at a time: 193 records/s of nano in fours, 174 in eights, 140 by 32 (memory faulted in anew).
EVALUATION_BATCH = 4 if jax.default_backend() == "cpu" else 256
AT_ONCE = 2
Features = dict[str, Float[np.ndarray, "record feature"]]


@dataclass(frozen=True)
class Trained:
    """What evaluation needs of a run."""

    folder: RunFolder
    config: ConfigDict
    contract: InputContract
    tokenizer: Tokenizer
    method: Method
    init: Callable  # its `init`, compiled once for all seeds
    variables: Variables
    step: int
    checkpoint: str  # sha256 of its manifest


def load_run(path: Path, step: int | None) -> Trained:
    """The run's last checkpoint, or the one of `step`; while it trains, too."""
    folder = RunFolder(path)
    config, contract = ConfigDict(folder.config()), folder.contract()
    tokenizer = load_tokenizer(folder.checked_tokenizer())
    if not folder.seals_tokenizer() and tokenizer_sha256(tokenizer) != contract.tokenizer_sha256:
        raise CgdmerError(f"{folder.tokenizer} is not the tokenizer of this run (sha256 in input.json); {REMEDY}")
    method = build.make_method(config, contract, tokenizer)
    checkpoints = Checkpoints(folder.checkpoints, keep_last=1)
    checkpoints.latest()  # raises before anything is compiled where there is none
    # Of the state only the variables are read; the optimiser may be whatever it was.
    init = jax.jit(method.init)
    like = TrainState(jnp.int32(0), _first_variables(init, contract, config, 0), None, jnp.int32(NEVER))
    with checkpoints:
        variables, found, sha256 = checkpoints.restore_variables(step, like)
    return Trained(folder, config, contract, tokenizer, method, init, variables, found, sha256)


def random_variables(trained: Trained, seed: int) -> Variables:
    """The same architecture before any training."""
    return _first_variables(trained.init, trained.contract, trained.config, seed)


def _first_variables(init: Callable, contract: InputContract, config: ConfigDict, seed: int) -> Variables:
    shapes = build.shapes_of(2, contract, config.data.max_tokens)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    return init(jax.random.key(seed), zeros)


def embedder(method: Method, names: Sequence[str]) -> Callable:
    """variables, batch -> these features; compiled once for all weights of one architecture."""

    def features_of(variables: Variables, batch: Batch) -> dict:
        made = method.embed_ecg(variables, batch)
        return {name: made[name] for name in names}

    return jax.jit(features_of)


def feature_names(trained: Trained) -> list[str]:
    """What the method's `embed_ecg` gives."""
    shapes = build.shapes_of(2, trained.contract, trained.config.data.max_tokens)
    return sorted(jax.eval_shape(trained.method.embed_ecg, trained.variables, shapes))


@functools.cache
def code_sha256() -> str:
    """Hash of the sources that features depend on: a cache of older code is never read."""
    root = Path(cgdmer_jax.__file__).parent
    sources = sorted(file for room in ("models", "methods") for file in (root / room).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()


def embed(
    features_of: Callable,
    variables: Variables,
    corpus: Corpus,
    lines: Int64[np.ndarray, "record"],
    table: TokenTable,
    label: str,
) -> Features:
    """Features by name of the records on these lines."""
    batches = build.read_batches(corpus, lines, table, EVALUATION_BATCH)
    return embed_batches(features_of, variables, batches, len(lines), label)


def embed_batches(
    features_of: Callable, variables: Variables, batches: Iterable[tuple[Batch, int]], n_records: int, label: str
) -> Features:
    """The same of (batch, number of real records in it)."""
    parts: dict[str, list[np.ndarray]] = {}
    pending: deque[Future[Features]] = deque()

    def compute(batch: Batch, n_real: int) -> Features:
        return {name: np.asarray(value)[:n_real] for name, value in features_of(variables, batch).items()}

    def collect() -> None:
        made = pending.popleft().result()
        for name, value in made.items():
            parts.setdefault(name, []).append(value)
        progress.update(len(value))

    with progress_bar(n_records, "record", label) as progress:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for batch, n_real in batches:
                pending.append(pool.submit(compute, batch, n_real))
                if len(pending) > AT_ONCE:
                    collect()
            while pending:
                collect()
    return {name: np.concatenate(values) for name, values in parts.items()}


def cached(path: Path, lines: Int64[np.ndarray, "record"], compute: Callable[[], Features]) -> Features:
    """Reads that file, or computes and writes it whole; its name carries the hashes of content, records and code."""
    of_lines = hashlib.sha256(lines.astype("<i8").tobytes()).hexdigest()
    path = path.with_stem(f"{path.stem}-{of_lines[:8]}-{code_sha256()[:8]}")
    if path.exists():
        try:
            return read_arrays(path, remedy="it is made again")
        except CgdmerError as error:
            print(error)
    features = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, features, compress=False)
    return features
