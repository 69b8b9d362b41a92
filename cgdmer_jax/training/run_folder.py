"""The run folder: config, environment and input contract beside the metrics and checkpoints (DESIGN 2)."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgdmer_jax.contract import InputContract
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.whole_file import write_whole

FREE = "run."  # fields that may differ when a run goes on: log, validation and checkpoint intervals
YOUNGER = {"data.min_patients": 1}  # fields younger than some run folders, with the value that those runs had


class RunFolder:
    """Paths of one run. `experiments` fills it, the loop appends to it, evaluation reads it."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.jsonl"
        self.tokenizer = path / "tokenizer"
        self.evaluation = path / "evaluation"

    def config(self) -> dict:
        return self._read("config.json")

    def unsaid(self) -> dict[str, object]:
        """Fields that this run's config is too old to have, with the value that it was trained with."""
        if not self.exists():
            return {}
        known = flat(self.config())
        return {name: value for name, value in YOUNGER.items() if name not in known}

    def contract(self) -> InputContract:
        return InputContract.from_json(json.dumps(self._read("input.json")))

    def exists(self) -> bool:
        return (self.path / "config.json").exists()

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
        """Refuses a config that this folder was not made with; an empty folder takes any."""
        if self.exists():
            check_config(self.config(), config, allowed, self.path / "config.json")
        elif self.metrics.exists() or any(self.checkpoints.glob("*")):  # begin() writes config.json before these
            raise CgdmerError(
                f"{self.path} was trained in but has no config.json; restore it, or take another --workdir"
            )

    def begin(self, config: dict, environment: dict, contract: InputContract | None) -> None:
        """Starts the folder, or records what goes on in it now; config.json last: with it the run exists.

        A run that reads no recordings has no contract.
        """
        known = self._read("environment.json") if self.exists() else []
        try:
            if contract is not None:
                write_json(self.path / "input.json", json.loads(contract.to_json()))
            write_json(self.path / "environment.json", [*known, environment])
            write_json(self.path / "config.json", config)
        except OSError as error:
            raise self._not_writable(error) from error

    def starts(self) -> list[dict]:
        """What environment.json tells of each time the run was started, the first one first."""
        return self._read("environment.json")

    def finish(self, figures: dict) -> None:
        """Adds what this start measured to its entry of environment.json."""
        *before, own = self._read("environment.json")
        write_json(self.path / "environment.json", [*before, own | figures])

    def _not_writable(self, error: OSError) -> CgdmerError:
        return CgdmerError(f"--workdir={self.path} cannot be written ({error.strerror}); choose a folder you own")

    def _read(self, name: str):
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CgdmerError(
                f"{path} is missing, so {self.path} is not a whole run folder; "
                "give the folder that experiments.pretrain wrote (--workdir)"
            ) from error
        except ValueError as error:
            raise CgdmerError(f"{path} is no JSON ({error}); restore it from a backup") from error


def flat(config: dict, prefix: str = "") -> dict[str, object]:
    """{'a': {'b': 1}} -> {'a.b': 1}."""
    out = {}
    for name, value in config.items():
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{name}.")
        else:
            out[prefix + name] = list(value) if isinstance(value, tuple) else value
    return out


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


def write_json(path: Path, value: object) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(value, indent=1) + "\n")
