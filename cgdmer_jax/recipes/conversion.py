"""The collection that a conversion reads, and what is told of it: lines for the user and a row of figures."""

from pathlib import Path

from cgdmer_jax import path_arguments
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.sources.source import Source
from cgdmer_jax.data.store.convert import Summary
from cgdmer_jax.data.store.store import Store, open_store
from cgdmer_jax.errors import CgdmerError, suggest, visible
from cgdmer_jax.waveform.lead_names import opposite_of

SYNTHETIC = "synthetic"
N_NAMED = 3  # records with the same mark

# What conversion marks, by column of records.parquet; nothing of it is changed.
FOUND = {
    "lead_absent": "a lead that was not recorded, flat or clipped, and is left out (lead_mask)",
    "lead_flagged": "a lead with gaps or clipped samples (lead_flagged)",
    "lead_implausible": "a lead of an amplitude that no heart has (lead_implausible)",
    "lead_derived": "a limb lead derived from two others (lead_derived)",
    "arms_swapped": "suspicion of exchanged arm electrodes (arms_swapped)",
    "limb_leads_disagree": "limb leads that contradict each other: exchanged names or parts (limb_leads_disagree)",
    "no_report": "no clinical text: they train reconstruction alone (text_id -1)",
}


def open_source(
    name: str, root: Path | None, *, rate: int, follow_links: bool = False, records: int = 3400, seed: int = 0
) -> Source:
    """The collection of that name; `records` and `seed` are of the synthetic one, which has no `root`."""
    if name == SYNTHETIC:
        from cgdmer_jax.data.sources import synthetic

        return synthetic.open_source(records, rate, seed)
    if name not in SOURCES:
        raise CgdmerError(f'unknown source "{name}".{suggest(name, [*SOURCES, SYNTHETIC])}')
    if root is None:
        raise CgdmerError(f"source {name} is read from a folder; name it with --root")
    return SOURCES[name](path_arguments.input_folder(root), rate, follow_links)


def describe(summary: Summary, out: Path) -> str:
    """The summary printed at the end."""
    n_rejected = sum(summary.rejected.values())
    lines = [f"{out}: {_records(summary.n_records)} in {summary.n_rows:,} rows, {n_rejected:,} rejected"]
    lines += [f"  {problem}: {count:,} (see rejected.csv)" for problem, count in summary.rejected.items()]
    marked = {column: count for column, count in summary.quality.items() if count}
    store = open_store(out) if marked else None
    for column, count in marked.items():
        lines.append(f"  {_records(count)}: {FOUND[column]}{_first(store, column)}")
    lines += [
        f'  {_records(count)}: signal "{name}" is none of the twelve leads and is not kept{_why(name)}'
        for name, count in summary.extra_leads.items()
    ]
    lines += [f"  {remark}" for remark in summary.remarks]
    if summary.n_converted:
        lines.append(
            f"  {_records(summary.n_converted)} converted in {summary.wall_seconds:.1f} s, "
            f"{summary.records_per_second:,.0f} records/s"
        )
    else:
        lines.append("  it is complete and its bytes agree with its seal; nothing was converted")
    return visible("\n".join(lines))  # names of signals come from the files


def _first(store: Store, column: str) -> str:
    """The first records that the column of records.parquet marks; none of those that only lack a report."""
    if column == "no_report":
        return ""
    marked = ~store.column("lead_mask") if column == "lead_absent" else store.column(column)
    ids = store.column("record_id")[marked.reshape(len(marked), -1).any(axis=1)]
    more = ", ..." if len(ids) > N_NAMED else ""
    return f"; in records.parquet: {', '.join(ids[:N_NAMED])}{more}"


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"


def _why(name: str) -> str:
    lead = opposite_of(name)
    told = f": it is {lead} with its sign changed; call it {lead} in the header and give it a negative gain"
    return told if lead else ""


def measured(summary: Summary, out: Path, *, source: str, rate: float, processes: int) -> dict:
    """The row of --figures."""
    return {
        "store": out.name,
        "source": source,
        "rate": rate,
        "rows": summary.n_rows,
        "records": summary.n_records,
        "rejected": summary.rejected,
        "quality": summary.quality,
        "extra_leads": summary.extra_leads,
        "converted": summary.n_converted,  # in this run; fewer than rows when it continued an earlier one
        "seconds": round(summary.wall_seconds, 2),
        "records_per_second": round(summary.records_per_second, 1),
        "processes": processes,
    }
