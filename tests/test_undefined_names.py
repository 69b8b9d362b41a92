"""Names that nothing defines. Ruff's F821 is off in pyproject.toml: it takes jaxtyping's axis strings for names."""

import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("cgdmer_jax", "baselines", "benchmarks", "configs", "experiments", "tests")


def undefined_names(*places: Path) -> list[str]:
    """`file:line name` of every undefined name that does not stand in a string."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--exit-zero", "--select=F821", "--output-format=json"]
    done = subprocess.run([*ruff, *map(str, places)], capture_output=True, text=True, check=True)
    found = []
    for hit in json.loads(done.stdout):
        file, place = Path(hit["filename"]), (hit["location"]["row"], hit["location"]["column"] - 1)
        tokens = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
        if not any(token.type == tokenize.STRING and token.start <= place < token.end for token in tokens):
            found.append(f"{file.name}:{place[0]} {hit['message']}")
    return found


def test_every_name_is_defined():
    assert undefined_names(*(ROOT / room for room in ROOMS)) == []


@pytest.mark.parametrize(("line", "n_found"), [("seal = None\nseal", 0), ("seal", 1), ('x: "seal"', 0)])
def test_an_undefined_name_is_seen_and_an_axis_string_is_none(tmp_path, line, n_found):
    (tmp_path / "one.py").write_text(f"{line}\n")
    assert len(undefined_names(tmp_path / "one.py")) == n_found
