"""metrics.jsonl: one line a logged step, cut back on resume so that a curve has no doubled part."""

import errno
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import line_of, read_metrics
from cgdmer_jax.training.coordination import is_first
from cgdmer_jax.training.mirrors import Mirror
from cgdmer_jax.training.state import check_finite
from cgdmer_jax.training.step import Metrics
from cgdmer_jax.whole_file import write_whole

TIMED = ("records_per_second", "model_flops_utilisation", "goodput")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class MetricsLog:
    """Appends records on host 0; a line is on disk before the next one is written, and then handed to the mirrors.

    On a full disk lines wait in memory for room, which a checkpoint that fails for the same reason soon gives back.
    """

    def __init__(self, path: Path, mirrors: Sequence[Mirror] = ()):
        self.path = path
        self.mirrors = mirrors
        self._waiting = b""

    def write(self, record: dict) -> None:
        if not is_first():
            return
        self._waiting += line_of(record)
        try:
            self._append()
        except OSError as error:
            if error.errno not in FULL:
                raise self._not_written(error) from error
        numbers = {name: value for name, value in record.items() if name != "step" and value is not None}
        for mirror in self.mirrors:
            mirror(record["step"], numbers)

    def _append(self) -> None:
        """Writes the waiting lines, all or none."""
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            if file.write(self._waiting) < len(self._waiting):
                file.truncate(before)
                raise OSError(errno.ENOSPC, "No space left on device")
        self._waiting = b""

    def close(self) -> None:
        """Writes what still waits; raises when it cannot."""
        if self._waiting:
            try:
                self._append()
            except OSError as error:
                raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> CgdmerError:
        return CgdmerError(f"{self.path} cannot be written ({error.strerror}); fix that and run the same command again")

    def last_step(self) -> int:
        """The last logged step; 0 when there is none."""
        return max((record["step"] for record in read_metrics(self.path)), default=0) if self.path.exists() else 0

    def values(self, name: str, last_step: int) -> list[float]:
        """That figure of all steps up to this one, in their order."""
        records = read_metrics(self.path) if self.path.exists() else []
        return [record[name] for record in records if record["step"] <= last_step and name in record]

    def cut_after(self, step: int) -> None:
        """Drops lines of later steps, and a last line that a kill left unfinished."""
        if not self.path.exists() or not is_first():
            return
        kept = [record for record in read_metrics(self.path) if record["step"] <= step]
        write_whole(self.path, b"".join(map(line_of, kept)))


def untimed(record: dict) -> dict:
    """Without the fields that tell of time: the rest is the same in every run of the same config."""
    return {name: value for name, value in record.items() if name not in TIMED}


class StepLogger:
    """Holds one step's metrics on the device until the next step is under way."""

    def __init__(self, log: MetricsLog, learning_rate: Callable[[int], float], share_a_record: float | None):
        self.log = log
        self.learning_rate = learning_rate
        self.share_a_record = share_a_record  # of the devices' peak, by one record a second; None: not known
        self.begun, self.stepping = time.monotonic(), 0.0
        self.held: tuple[int, Metrics, dict[str, float | None]] | None = None
        self.clock: tuple[int, float] | None = None  # step and time from which records/s is counted

    def hold(self, step: int, metrics: Metrics, batch_size: int) -> None:
        """Speed since the last call, and goodput: the share of this start's time in which steps were made.

        Not in that share: compiling with the first interval, validating, diagnosing.
        """
        now = time.monotonic()
        speed: dict[str, float | None] = {"records_per_second": None}
        if self.clock is not None:
            seconds = now - self.clock[1]
            rate = (step - self.clock[0]) * batch_size / seconds
            self.stepping += seconds
            speed["records_per_second"] = round(rate, 2)
            if self.share_a_record is not None:
                speed["model_flops_utilisation"] = round(rate * self.share_a_record, 4)
        speed["goodput"] = round(self.stepping / max(now - self.begun, 1e-9), 4)
        self.clock = (step, now)
        self.held = (step, metrics, speed)

    def restart_clock(self, step: int) -> None:
        """After that step something else took time, and has ended."""
        self.clock = (step, time.monotonic())

    def flush(self) -> None:
        """Fetches and writes what is held; raises when that step was not finite."""
        if self.held is None:
            return
        step, metrics, speed = self.held
        self.held = None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        check_finite(int(values.pop("first_bad_step")))
        record = {"step": step, **values, "learning_rate": float(self.learning_rate(step - 1))}
        self.log.write(record | speed)
