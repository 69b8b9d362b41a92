"""The page of one evaluation as HTML: no script, no outside resource, and nothing but what its files say."""

from collections.abc import Sequence

import numpy as np

from cgdmer_jax.metrics_file import METRICS
from cgdmer_jax.report.contents import Contents, ShownReconstruction
from cgdmer_jax.report.curves import curves_section
from cgdmer_jax.report.ecg_paper import ecg_page_svg
from cgdmer_jax.report.first_table import results_section
from cgdmer_jax.report.found import found_section, headline
from cgdmer_jax.report.patient import case_section
from cgdmer_jax.report.sections import sections
from cgdmer_jax.report.shell import document, ecg_figure, sheet
from cgdmer_jax.report.tables import facts_table

NO_METRICS = f"training curves: the run has no {METRICS}"
NO_CURVES = f"training curves: {METRICS} has no figure at three steps"


def page(contents: Contents, results: dict, metrics: Sequence[dict] | None, diagnostics: str) -> str:
    """HTML of a whole document.

    `results` is the document of results.json; `metrics` the records of metrics.jsonl, None where there is no such
    file; `diagnostics` the section of diagnostics.json, empty where there is none.
    """
    rows, versions = results["rows"], _versions(contents.version, results)
    case, curves = contents.case, curves_section(metrics or ())
    lacking = NO_METRICS if metrics is None else "" if curves else NO_CURVES
    verdict = headline(rows, contents.own_method)
    return document(
        f"{contents.title}: {verdict}" if verdict else contents.title,
        found_section(rows, contents.own_method),
        _running(contents),
        [
            "<h2>Run</h2>\n" + facts_table("What was evaluated, and how", _facts(contents, results, lacking, versions)),
            results_section(rows, contents.own_method, contents.class_names),
            *sections(rows, contents.own_method, contents.class_names),
            _reconstructions(contents.reconstructions),
            case_section(case, versions) if case else "",
            diagnostics,
            curves,
        ],
    )


def _running(contents: Contents) -> str:
    """Head of each printed sheet: whose page it is."""
    record = contents.case.record_id if contents.case else None
    return contents.title if record is None else f"Record {record} · {contents.title}"


def _facts(contents: Contents, results: dict, lacking: str, versions: str) -> dict[str, str]:
    """`lacking` says why there are no training curves, empty where there are some."""
    left_out = [*results["origin"].get("left_out", ()), *([lacking] if lacking else [])]
    return {
        **contents.facts,
        **({"Left out": "; ".join(dict.fromkeys(left_out))} if left_out else {}),
        "Command": results["command"],
        "Versions": versions,
    }


def _versions(own: str, results: dict) -> str:
    """The package with its commit, Python, and the packages that a figure may depend on."""
    found = results["environment"]
    first = f"cgdmer_jax {own} (commit {results['commit'] or 'unknown'}), Python {found['python']}"
    return ", ".join([first, *(f"{name} {version}" for name, version in found["packages"].items())])


def _reconstructions(pages: Sequence[ShownReconstruction]) -> str:
    if not pages:
        return ""
    return sheet(["<h2>One recording, hidden in part and reconstructed</h2>", *map(_reconstruction, pages)])


def _reconstruction(one: ShownReconstruction) -> str:
    tracing = one.tracing
    svg = ecg_page_svg(
        tracing.signal_mv,
        tracing.rate,
        title=tracing.title,
        subtitle=tracing.subtitle,
        lead_mask=tracing.lead_mask,
        overlay_mv=one.made_mv.astype(np.float64),
        hidden=one.hidden,
    )
    share = one.hidden.sum() / (tracing.lead_mask.sum() * one.hidden.shape[1])
    words = f"{100 * share:.0f} % of the patches were hidden from the encoder (shaded); blue is its prediction."
    return ecg_figure(svg, words)
