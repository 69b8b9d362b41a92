"""The findings that the phrase table reads in PTB-XL's reports against the SCP codes of the same records.

`python -m benchmarks.entity_scores --root=data/ptb-xl --out=results/entity-scores.json`

A likelihood of 0 means that none was stated, as in all codes of rhythm and form, and in some of diagnoses; codes are
counted apart by it. Reports and codes are of the same readers but not the same text: a code without its words in the
report is a limit of any extractor. Only one table of --root is read. --show=50 prints so many disagreements to read,
drawn by a fixed seed over all entities with codes: half are codes that the report was not read to mention, half the
reverse.
"""

import argparse
import ast
import time
from collections import Counter
from pathlib import Path

import numpy as np

from cgdmer_jax import path_arguments
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.data.text.entities import ABSENT, NOT_MENTIONED, PRESENT, UNCERTAIN, Entity, EntityTable, shipped_table
from cgdmer_jax.data.text.languages import language
from cgdmer_jax.provenance import write_figures


def read_records(root: Path) -> tuple[list[str], list[dict[str, float]]]:
    """Cleaned report ("" where there is none) and SCP codes with their likelihoods (percent) of every record."""
    lines = read_table(root / "ptbxl_database.csv", ["report", "scp_codes"], "restore the published table").lines
    reports = [clean(line["report"], "ptbxl") or "" for line in lines]
    return reports, [ast.literal_eval(line["scp_codes"]) for line in lines]


def share(part: np.ndarray, whole: np.ndarray) -> float | None:
    return round(float((part & whole).sum() / whole.sum()), 4) if whole.any() else None


def scored(entity: Entity, state: np.ndarray, codes: list[dict[str, float]]) -> dict:
    """Counts, precision and recall of an entity over the records that have a report.

    A code that is wider than the entity counts for its precision, and is no reason to miss the entity.
    """
    own, wider = (np.array([_likelihood(one, names) for one in codes]) for names in (entity.scp, entity.scp_within))
    coded, stated, unstated = own >= 0, own > 0, own == 0
    present, uncertain, absent = state == PRESENT, state == UNCERTAIN, state == ABSENT
    row = {"entity": entity.key, "scp": " ".join(entity.scp), "scp_within": " ".join(entity.scp_within)}
    row |= {"present": int(present.sum()), "uncertain": int(uncertain.sum()), "absent": int(absent.sum())}
    if entity.scp or entity.scp_within:
        either = coded | (wider >= 0)
        row |= {
            "precision_present": share(either, present),
            "precision_uncertain": share(either, uncertain),
            "coded_though_absent": share(either, absent),
        }
    if entity.scp:
        row |= {
            "coded": int(coded.sum()),
            "recall_present": share(present, coded),
            "recall": share(present | uncertain, coded),
            "coded_with_likelihood": int(stated.sum()),
            "recall_with_likelihood": share(present | uncertain, stated),
            "precision_with_likelihood": share(stated, present),
            "coded_with_likelihood_0": int(unstated.sum()),
            "recall_with_likelihood_0": share(present | uncertain, unstated),
            "median_likelihood_of_present": median(own[present & stated]),
            "median_likelihood_of_uncertain": median(own[uncertain & stated]),
        }
    return row


def _likelihood(codes: dict[str, float], names: tuple[str, ...]) -> float:
    """The largest of those codes; -1 where there is none."""
    return max((codes[name] for name in names if name in codes), default=-1.0)


def median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None


def show(table: EntityTable, states: np.ndarray, reports: list[str], codes: list[dict[str, float]], n: int) -> None:
    """Prints disagreements drawn from all (record, entity) pairs."""
    coded = np.array([[any(code in one for code in entity.scp) for entity in table.entities] for one in codes])
    with_codes = np.array([bool(entity.scp) and not entity.scp_within for entity in table.entities])
    draw = np.random.default_rng(0)
    for kind, pairs in (
        ("code without words", coded & ((states == ABSENT) | (states == NOT_MENTIONED))),
        ("words without code", ~coded & (states == PRESENT) & with_codes),
    ):
        places = np.argwhere(pairs)
        for record, number in places[draw.choice(len(places), n // 2, replace=False)]:
            written = " ".join(f"{code}:{value:g}" for code, value in codes[record].items())
            print(f"{kind} | {table.keys[number]} | {written} | {reports[record]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=path_arguments.input_folder, required=True, help="PTB-XL's tables")
    parser.add_argument("--out", type=path_arguments.output_file, required=True)
    parser.add_argument("--show", type=int, default=0, help="disagreements to print")
    args = parser.parse_args()
    table = shipped_table()
    reports, codes = read_records(args.root)
    distinct = sorted(set(reports) - {""})
    began = time.process_time()
    state_of = dict(zip(distinct, table.table(distinct), strict=True))
    seconds = time.process_time() - began
    kept = [number for number, report in enumerate(reports) if report]
    states = np.stack([state_of[reports[number]] for number in kept])
    languages = Counter(language(text) for text in distinct)
    rows = [
        {"records": len(reports), "with_report": len(kept), "distinct_reports": len(distinct)}
        | {f"distinct_{name}": count for name, count in sorted(languages.items())}
        | {"entities": len(table.keys), "entities_found": int((states > 0).any(0).sum()), "version": table.version}
        | {"table_sha256": table.sha256, "cpu_seconds_for_distinct_reports": round(seconds, 2)}
        | {"distinct_without_any_finding": sum(not (state_of[text] != 0).any() for text in distinct)}
    ]
    kept_codes = [codes[number] for number in kept]
    rows += [scored(entity, states[:, place], kept_codes) for place, entity in enumerate(table.entities)]
    write_figures(args.out, rows)
    shown = ("present", "uncertain", "absent", "precision_present", "precision_uncertain", "coded", "recall")
    print("".join(f"{name:>20}" for name in ("entity", *shown)))
    for row in rows[1:]:
        print("".join(f"{row.get(name, '')!s:>20}" for name in ("entity", *shown)))
    print(rows[0])
    show(table, states, [reports[number] for number in kept], kept_codes, args.show)


if __name__ == "__main__":
    main()
