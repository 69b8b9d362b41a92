"""Prints the size of the code: files, functions, tests, and the walk of docs/walkthrough.md."""

import ast
import re
import statistics
from pathlib import Path

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m benchmarks.code_size --out=results/code-size.json"


ROOT = Path(__file__).parents[1]
SOURCE = ("baselines", "cgdmer_jax", "configs", "experiments")
WALK = ROOT / "docs/walkthrough.md"
STATION = re.compile(r"\]\(\.\./([\w/]+\.py)\)(?:\s+\(([^)]*)\))?")  # a link to a file, and what to read of it


def lines_of(file: Path) -> int:
    return len(file.read_text().splitlines())


def functions(file: Path):
    """(lines, name) of every function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node.end_lineno - node.lineno + 1, f"{file.relative_to(ROOT)}:{node.name}"


def walk(page: str) -> list[tuple[str, int]]:
    """(file or file:name, its lines) of everything that the page of the walk names, in its order."""
    found = []
    for file, named in STATION.findall(page):
        names = re.findall(r"`([\w.]+)`", named)
        found += [(f"{file}:{name}", lines_of_name(ROOT / file, name)) for name in names]
        if not names:
            found.append((file, lines_of(ROOT / file)))
    return found


def lines_of_name(file: Path, name: str) -> int:
    """Number of lines of a function, a class or Class.method."""
    body = ast.parse(file.read_text()).body
    for part in name.split("."):
        node = next((n for n in body if getattr(n, "name", None) == part), None)
        if node is None:
            raise CgdmerError(f"docs/walkthrough.md names {name} in {file.relative_to(ROOT)}, which is not there")
        body = node.body
    return node.end_lineno - node.lineno + 1


def measure() -> list[dict]:
    source = [f for room in SOURCE for f in (ROOT / room).rglob("*.py") if f.name != "__init__.py"]
    tests = list((ROOT / "tests").rglob("*.py"))
    counts = {f: lines_of(f) for f in source}
    longest = max(source, key=counts.get)
    n_lines, function = max(pair for f in source for pair in functions(f))
    stations = walk(WALK.read_text())
    walked = {ROOT / name.split(":")[0] for name, _ in stations}
    source_lines, test_lines = sum(counts.values()), sum(lines_of(f) for f in tests)
    return [
        {"what": "source files", "value": len(source)},
        {"what": "source lines", "value": source_lines},
        {"what": "median file, lines", "value": statistics.median(counts.values())},
        {"what": "longest file, lines", "value": counts[longest], "where": str(longest.relative_to(ROOT))},
        {"what": "longest function, lines", "value": n_lines, "where": function},
        {"what": "test lines", "value": test_lines},
        {"what": "test:source", "value": round(test_lines / source_lines, 2)},
        {"what": "walk, files", "value": len(walked)},
        {"what": "walk, functions and classes", "value": len(stations)},
        {"what": "walk, lines to read", "value": sum(n for _, n in stations)},
        {"what": "walk, lines of those files", "value": sum(map(lines_of, walked))},
    ]


def main(words: list[str]) -> None:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file for the rows")
    args = parser.parse_args(words)
    rows = measure()
    for row in rows:
        print(f"{row['what']:28s} {row['value']:>8} {row.get('where', '')}")
    if args.out:
        write_figures(args.out, rows)


if __name__ == "__main__":
    cli.run(main)
