"""The findings that the phrase table reads in PTB-XL's reports against the SCP codes of the same records.

`python -m benchmarks.entity_scores --root=data/ptb-xl --out=results/entity-scores.json`

A likelihood of 0 means that none was stated, as in all codes of rhythm and form, and in some of diagnoses; codes are
counted apart by it. Reports and codes are of the same readers but not the same text: a code without its words in the
report is a limit of any extractor. Only the two tables of --root are read.
"""

import argparse
import ast
import time
from collections import Counter
from pathlib import Path

import numpy as np

from cgdmer_jax import path_arguments
from cgdmer_jax.data.csv_table import read_csv
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.data.text.entities import ABSENT, PRESENT, UNCERTAIN, Entity, shipped_table
from cgdmer_jax.data.text.languages import language
from cgdmer_jax.provenance import write_figures


def read_records(root: Path) -> tuple[list[str], list[dict[str, float]]]:
    """Cleaned report ("" where there is none) and SCP codes with their likelihoods (percent) of every record."""
    lines = read_csv(root / "ptbxl_database.csv", ["report", "scp_codes"], "restore the published table").lines
    reports = [clean(line["report"], "ptbxl") or "" for line in lines]
    return reports, [ast.literal_eval(line["scp_codes"]) for line in lines]


def share(part: np.ndarray, whole: np.ndarray) -> float | None:
    return round(float((part & whole).sum() / whole.sum()), 4) if whole.any() else None


def scored(entity: Entity, state: np.ndarray, codes: list[dict[str, float]]) -> dict:
    """Counts, precision and recall of an entity over the records that have a report."""
    likelihood = np.array([max((one[code] for code in entity.scp if code in one), default=-1.0) for one in codes])
    coded, stated, unstated = likelihood >= 0, likelihood > 0, likelihood == 0
    present, mentioned, absent = state == PRESENT, (state == PRESENT) | (state == UNCERTAIN), state == ABSENT
    row = {"entity": entity.key, "scp": " ".join(entity.scp)}
    row |= {"present": int(present.sum()), "uncertain": int((mentioned & ~present).sum()), "absent": int(absent.sum())}
    if entity.scp:
        row |= {
            "coded": int(coded.sum()),
            "coded_with_likelihood": int(stated.sum()),
            "coded_with_likelihood_0": int(unstated.sum()),
            "precision_present": share(coded, present),
            "precision_uncertain": share(coded, mentioned & ~present),
            "coded_though_absent": share(coded, absent),
            "recall": share(mentioned, coded),
            "recall_as_present": share(present, coded),
            "recall_with_likelihood": share(mentioned, stated),
            "recall_with_likelihood_0": share(mentioned, unstated),
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=path_arguments.input_folder, required=True, help="PTB-XL's tables")
    parser.add_argument("--out", type=path_arguments.output_file, required=True)
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
    for row in rows[1:]:
        if row["scp"]:
            print(f"{row['entity']:32}" + "".join(f"{row[name]!s:>8}" for name in list(row)[2:]))
        else:
            print(f"{row['entity']:32}" + "".join(f"{row[name]!s:>8}" for name in ("present", "uncertain", "absent")))
    print(rows[0])


if __name__ == "__main__":
    main()
