"""The run folder: config, environment and input contract beside the metrics and checkpoints.

See docs/design.md, "Run folder".

Each of these files holds its own hash, config.json that of the tokenizer too; folders of before have none, and gain
them when their run goes on.
"""

import fcntl
import json
import os
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from cgdmer_jax.config import flat
from cgdmer_jax.contract import InputContract
from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.json_file import MOST_BYTES, read_json
from cgdmer_jax.metrics_file import METRICS
from cgdmer_jax.renamed_fields import renamed
from cgdmer_jax.sealed_json import SEAL, sealed, unsealed
from cgdmer_jax.whole_file import sha256_of, write_json

FILES = "files"  # field of config.json: sha256 of files that are written once, by their path in the folder
MOST_INPUT_BYTES = 1 << 28  # two hashes a recording and patient, some 100 bytes: a few million recordings
REMEDY = "restore it from a backup"
CONFIG_REMEDY = f"undo the edit, or {REMEDY}; to change a field when resuming: --config.a.b=VALUE --allow_changed=a.b"
FREE = "run."  # fields that may differ when a run goes on: log, validation and checkpoint intervals
# Marks of what --workdir is mistaken for: by name of a file or folder in it, and then in one of its folders.
OTHERS = {"dataset.json": "a store", "model.safetensors": "a model folder", ".git": "a project"}
# Fields younger than some run folders, with the value that those runs had, or one that changed nothing in them.
YOUNGER_IN_FINETUNING = {
    "method.encoder_trained": -1,
    "method.layer_decay": 1.0,
    "method.head_pooling": "main",
    "method.head_dropout": 0.0,
    "method.token_dropout": 0.0,
}
YOUNGER = YOUNGER_IN_FINETUNING | {
    "data.min_patients": 1,
    "method.text.width": 128,
    "method.text.depth": 2,
    "method.text.heads": 4,
    "optimizer.decayed": "matrices",
}


class RunFolder:
    """Paths of one run. `recipes` fills it, the loop appends to it, evaluation reads it."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.metrics = path / METRICS
        self.tokenizer = path / "tokenizer"
        self.evaluation = path / "evaluation"

    def config(self) -> dict:
        return self._config_and_files()[0]

    def _config_and_files(self) -> tuple[dict, dict[str, str]]:
        fields = self._read("config.json")
        config = unsealed(fields, self.path / "config.json", remedy=CONFIG_REMEDY)
        if "package_version" in config:  # a run's environment.json has it
            raise CgdmerError(
                f"{self.path} is a model folder; give the run folder that it was exported from (--workdir of "
                "experiments.pretrain)"
            )
        files = config.pop(FILES, {})
        if not isinstance(files, dict) or not all(isinstance(one, str) for one in files.values()):
            raise CgdmerError(f"{self.path / 'config.json'}: {FILES} is no hash of each file by its name; {REMEDY}")
        if files and SEAL not in fields:
            raise CgdmerError(f"{self.path / 'config.json'} has lost its {SEAL}; {REMEDY}")
        return renamed(config, str(self.path / "config.json")), files

    def unsaid(self) -> dict[str, object]:
        """Fields that this run's config lacks, being too old or of another method, with the value it was trained with.

        They never enter it: else the command that started the run would be refused once it had gone on.
        """
        if not self.exists():
            return {}
        known = flat(self.config())
        return {name: value for name, value in YOUNGER.items() if name not in known}

    def contract(self) -> InputContract:
        fields = self._read("input.json", most_bytes=MOST_INPUT_BYTES)
        path = self.path / "input.json"
        return InputContract.from_fields(unsealed(fields, path, remedy=REMEDY), f"{path}: ")

    def checked_tokenizer(self) -> Path:
        """The folder of the tokenizer, once its file is found to be the one that was written."""
        for name, sha256 in self._config_and_files()[1].items():
            path = self.path / name
            if path.is_file() and sha256_of(path) != sha256:  # who reads a missing one says what to do
                refuse_pointer(path)
                raise CgdmerError(f"{path} differs from what was written (sha256); {REMEDY}")
        return self.tokenizer

    def seals_tokenizer(self) -> bool:
        """Whether config.json holds the hash of its file; of older folders only the contract has one, of its words."""
        return bool(self._config_and_files()[1])

    def exists(self) -> bool:
        return not self._is_missing(self.path / "config.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder; refuses while another process trains in it. The lock ends with its process."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            self._take(folder)
            yield
        finally:
            os.close(folder)

    def _take(self, folder: int) -> None:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CgdmerError(
                f"another process is training in {self.path}; wait for its end, or take another --workdir"
            ) from error

    def check(self, config: dict, allowed: tuple[str, ...]) -> None:
        """Refuses a config that this folder was not made with, and what is another folder; an empty one takes any."""
        if self.exists():
            check_config(self.config(), config, allowed, self.path / "config.json")
        elif self.metrics.exists() or any(self.checkpoints.glob("*")):  # begin() writes config.json before these
            raise CgdmerError(
                f"{self.path} was trained in but has no config.json; restore it, or take another --workdir"
            )
        else:
            self._check_is_no_other()

    def _check_is_no_other(self) -> None:
        """Refuses a file, and a folder known to be another thing or to hold runs; anything else may lie there."""
        if self.path.is_file():
            raise CgdmerError(f"--workdir={self.path} is a file; name a folder")
        try:
            inside = sorted(self.path.iterdir()) if self.path.is_dir() else []
            runs = [one.name for one in inside if (one / "config.json").is_file() and (one / "checkpoints").is_dir()]
        except OSError as error:
            raise self._not_writable(error) from error
        kind = next((OTHERS[one.name] for one in inside if one.name in OTHERS), "")
        kind = f"a folder of runs ({', '.join(runs[:3])})" if runs else kind
        if kind:
            raise CgdmerError(f"--workdir={self.path} is {kind}; name a new folder, such as {self.path / 'new-run'}")

    def begin(self, config: dict, environment: dict, contract: InputContract | None) -> None:
        """Starts the folder, or records what goes on in it now; config.json last: with it the run exists.

        A run that reads no recordings has no contract.
        """
        config = _without(config, self.unsaid())
        known, files = (self.starts(), self._config_and_files()[1]) if self.exists() else ([], {})
        if not files:
            written = [path for path in sorted(self.tokenizer.rglob("*")) if path.is_file()]
            files = {path.relative_to(self.path).as_posix(): sha256_of(path) for path in written}
        try:
            if contract is not None:
                write_json(self.path / "input.json", sealed(json.loads(contract.to_json())))
            self._write_starts([*known, environment])
            write_json(self.path / "config.json", sealed(config | ({FILES: files} if files else {})))
        except OSError as error:
            raise self._not_writable(error) from error

    def starts(self) -> list[dict]:
        """Entries of environment.json, one for each start of the run, oldest first."""
        path = self.path / "environment.json"
        entries = self._read(path.name)
        if not isinstance(entries, list):
            raise CgdmerError(f"{path} is not a list of starts; {REMEDY}")
        return [unsealed(one, f"entry {number} of {path}", remedy=REMEDY) for number, one in enumerate(entries)]

    def _write_starts(self, starts: list[dict]) -> None:
        write_json(self.path / "environment.json", [sealed(one) for one in starts])

    def finish(self, figures: dict) -> None:
        """Adds what this start measured to its entry of environment.json."""
        *before, own = self.starts()
        self._write_starts([*before, own | figures])

    def _not_writable(self, error: OSError) -> CgdmerError:
        return CgdmerError(f"--workdir={self.path} cannot be written ({error.strerror}); choose a folder you own")

    def _read(self, name: str, most_bytes: int = MOST_BYTES):
        path = self.path / name
        if self._is_missing(path):
            raise CgdmerError(
                f"{path} is missing, so {self.path} is not a whole run folder; "
                "give the folder that experiments.pretrain wrote (--workdir)"
            )
        return read_json(path, remedy=REMEDY, most_bytes=most_bytes)

    def _is_missing(self, path: Path) -> bool:
        try:
            return not path.exists()
        except OSError as error:  # a folder that this user may not look into
            raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); ask its owner") from error


def _without(config: dict, names: Container[str], prefix: str = "") -> dict:
    """A nested config less these fields, named as `flat` names them, and less what has no field left."""
    kept = {
        name: _without(value, names, f"{prefix}{name}.") if isinstance(value, dict) else value
        for name, value in config.items()
        if prefix + name not in names
    }
    return {name: value for name, value in kept.items() if value != {} or config[name] == {}}


def check_config(old: dict, new: dict, allowed: tuple[str, ...], where: Path) -> None:
    """Refuses a config that differs from the run's own outside `run` and the allowed fields."""
    before, after = flat(json.loads(json.dumps(old))), flat(json.loads(json.dumps(new)))
    before = {name: value for name, value in YOUNGER.items() if name in after} | before
    differing = [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) and not name.startswith(FREE) and name not in allowed
    ]
    if differing:
        raise CgdmerError(
            f"{where} was written with another config ({'; '.join(differing)}); "
            "take another --workdir, or name what may change with --allow_changed=a.b"
        )
