"""Run folders: a finished one that is read, one that a kill left and that goes on, and one of CG-DMER, used."""

import contextlib
import json
import tempfile
from hashlib import sha256
from pathlib import Path
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint import v1 as ocp

from cgdmer_jax.data.text.tokenizer import save_tokenizer
from cgdmer_jax.fields import from_fields
from cgdmer_jax.metrics_file import line_of, read_metrics
from cgdmer_jax.npz_file import read_arrays, write_arrays
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.sealed_json import sealed
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import untimed
from cgdmer_jax.training.manifest import MANIFEST, own_sha256
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer
from cgdmer_jax.training.run_folder import FILES, RunFolder
from cgdmer_jax.training.state import start
from cgdmer_jax.whole_file import sha256_of
from configs.cgdmer import get_config
from tests.data.small_stores import write_store
from tests.flipped_runs import EVALUATED, REPORTS, bytes_of, make_run, run_parts
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.target import FolderTarget, Values
from tests.interop.small_model import small_model
from tests.toy_runs import toy_config, toy_known

FINISHED, KILLED, REAL = "finished", "killed", "real"
STORE = "store-of-"  # stores lie beside their runs and stay whole
LAST = 6


class RunTarget(FolderTarget):
    def __init__(self):
        readers = {FINISHED: run_parts, KILLED: self.go_on, REAL: use}
        super().__init__(self.make_folders, readers, reseal=reseal, of_format=(arrays_changed,), kept=(STORE,))
        self.store = ""

    def make_folders(self, folder: Path) -> None:
        make_run(folder / FINISHED)
        self.store = write_store(folder / f"{STORE}killed", REPORTS)
        with toy_known():
            assert pretrain(toy_config(self.store), folder / KILLED) == 0
        (folder / KILLED / "checkpoints" / str(LAST) / MANIFEST).unlink()
        make_real(folder / REAL)

    def go_on(self, folder: Path) -> Values:
        """Whatever was lost, the curve and the weights are those of a run that nothing stopped."""
        with toy_known():
            assert pretrain(toy_config(self.store), folder) == 0
        state = ocp.load((folder / "checkpoints" / str(LAST) / "state").absolute())
        return {
            "curve": repr([untimed(record) for record in read_metrics(folder / "metrics.jsonl")]),
            "state": {name: sha256(np.asarray(array).tobytes()).hexdigest() for name, array in state.items()},
        }


def make_real(folder: Path) -> None:
    """A run of the small CG-DMER at step 0."""
    model, config, run = small_model(), get_config("quickstart"), RunFolder(folder)
    config.method = model["method_fields"]
    config.data.update(stores=("nowhere",), max_tokens=model["max_tokens"])
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    optimizer = make_optimizer(optimizer_config, model["variables"].params, ())
    with run.locked(), Checkpoints(run.checkpoints, keep_last=1) as checkpoints:
        save_tokenizer(model["tokenizer"], run.tokenizer)
        run.begin(config.copy_and_resolve_references().to_dict(), build.run_environment(), model["contract"])
        checkpoints.save(start(model["variables"], optimizer), None)


def use(folder: Path) -> Values:
    run = load_run(folder, None)
    batch = build.blank_batch_of(1, run.contract, run.config.data.max_tokens)
    batch = jax.tree.map(jnp.asarray, batch._replace(signal=batch.signal + 7, lead_mask=batch.lead_mask | True))
    made = jax.eval_shape(run.method.embed_ecg, run.variables, batch)
    return {
        "config of CG-DMER": run.config.to_json(),
        "contract of CG-DMER": repr(run.contract),
        "weights of CG-DMER": bytes_of(run.variables),
        "features of CG-DMER": {name: (feature.shape, str(feature.dtype)) for name, feature in made.items()},
    }


def reseal(folder: Path, spoilt: set[str]) -> None:
    """Every hash that the spoilt files have, in themselves or in others."""
    for name in sorted(spoilt):
        part, _, inner = name.partition("/")
        run, file = folder / part, folder / name
        with contextlib.suppress(ValueError, OSError):  # not of this form any more: the next file
            _reseal(run, inner, file)


def _reseal(run: Path, inner: str, file: Path) -> None:
    if inner == "environment.json":
        file.write_text(json.dumps([sealed(one) for one in json.loads(file.read_text())]))
    elif inner == "metrics.jsonl":
        records = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_bytes(b"".join(line_of({k: v for k, v in one.items() if k != "crc32"}) for one in records))
    elif inner.startswith("tokenizer/"):
        config = json.loads((run / "config.json").read_text())
        config[FILES][inner] = sha256_of(file)
        (run / "config.json").write_text(json.dumps(sealed(config)))
    elif inner.startswith("checkpoints/"):
        checkpoint = run / "checkpoints" / inner.split("/")[1]
        manifest = json.loads((checkpoint / MANIFEST).read_text())
        for one in manifest["files"]:
            if one != MANIFEST and (checkpoint / one).is_file():
                manifest["files"][one] = sha256_of(checkpoint / one)
        manifest["files"][MANIFEST] = own_sha256(manifest)
        (checkpoint / MANIFEST).write_text(json.dumps(manifest))
    elif inner.endswith(".json") and "sha256" in (fields := json.loads(file.read_text())):
        file.write_text(json.dumps(sealed(fields)))


def arrays_changed(tree: Tree, draw: Random) -> str | None:
    """Another array in a file of arrays, its hash right."""
    name = f"{FINISHED}/{EVALUATED}/{draw.choice(('features', 'predictions'))}.npz"
    content = tree.get(name)
    if not isinstance(content, bytes):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "arrays.npz"
        file.write_bytes(content)
        arrays = read_arrays(file, remedy="")
        one = draw.choice(sorted(arrays))
        how = draw.choice(("dropped", "another dtype", "an axis more", "shorter", "text", "NaN", "empty"))
        old = arrays.pop(one)
        if how != "dropped":
            arrays[one] = {
                "another dtype": old.astype("S8"),
                "an axis more": old[None],
                "shorter": old[1:],
                "text": np.array(["x"]),
                "NaN": np.full(old.shape, np.nan),
                "empty": np.zeros(0),
            }[how]
        write_arrays(file, arrays, compress=True)
        tree[name] = file.read_bytes()
    return f"{name}: {one}: {how}"


def make_target() -> FolderTarget:
    return RunTarget()
