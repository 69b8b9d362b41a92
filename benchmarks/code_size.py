"""Prints the size of the code: files, functions, tests, and the walk of docs/walkthrough.md.

Example:
  python -m benchmarks.code_size --out=results/code-size.json
"""

import argparse
import ast
import re
import statistics
from pathlib import Path

from benchmarks.output import write_rows

ROOT = Path(__file__).parents[1]
SOURCE = ("cgdmer_jax", "configs", "experiments")


def lines_of(file: Path) -> int:
    return len(file.read_text().splitlines())


def functions(file: Path):
    """(lines, name) of every function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node.end_lineno - node.lineno + 1, f"{file.relative_to(ROOT)}:{node.name}"


def measure() -> list[dict]:
    source = [f for room in SOURCE for f in (ROOT / room).rglob("*.py") if f.name != "__init__.py"]
    tests = list((ROOT / "tests").rglob("*.py"))
    counts = {f: lines_of(f) for f in source}
    longest = max(source, key=counts.get)
    n_lines, function = max(pair for f in source for pair in functions(f))
    walk = re.findall(r"\]\(\.\./([\w/]+\.py)\)", (ROOT / "docs/walkthrough.md").read_text())
    source_lines, test_lines = sum(counts.values()), sum(lines_of(f) for f in tests)
    return [
        {"what": "source files", "value": len(source)},
        {"what": "source lines", "value": source_lines},
        {"what": "median file, lines", "value": statistics.median(counts.values())},
        {"what": "longest file, lines", "value": counts[longest], "where": str(longest.relative_to(ROOT))},
        {"what": "longest function, lines", "value": n_lines, "where": function},
        {"what": "test lines", "value": test_lines},
        {"what": "test:source", "value": round(test_lines / source_lines, 2)},
        {"what": "walk, files", "value": len(set(walk))},
        {"what": "walk, lines", "value": sum(lines_of(ROOT / f) for f in set(walk))},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args()
    rows = measure()
    for row in rows:
        print(f"{row['what']:26s} {row['value']:>8} {row.get('where', '')}")
    if args.out:
        write_rows(args.out, "benchmarks.code_size", rows)


if __name__ == "__main__":
    main()
