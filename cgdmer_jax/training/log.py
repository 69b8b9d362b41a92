"""metrics.jsonl: one line a logged step, cut back on resume so that a curve has no doubled part."""

import json
import os
from pathlib import Path


class MetricsLog:
    """Appends records; a line is on disk before the next one is written."""

    def __init__(self, path: Path):
        self.path = path

    def write(self, record: dict) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def cut_after(self, step: int) -> None:
        """Drops lines of later steps, and a last line that a kill left unfinished."""
        if not self.path.exists():
            return
        kept = [json.dumps(record) for record in read_metrics(self.path) if record["step"] <= step]
        part = self.path.with_suffix(".part")
        part.write_text("".join(line + "\n" for line in kept))
        os.replace(part, self.path)


def read_metrics(path: Path) -> list[dict]:
    """All finished lines; a kill can only have left the last one unfinished."""
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]
