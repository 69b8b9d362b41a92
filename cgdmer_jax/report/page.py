"""The page of one evaluation as HTML: no script, no outside resource, and nothing but what its files say."""

from collections.abc import Sequence

import numpy as np

from cgdmer_jax.metrics_file import METRICS
from cgdmer_jax.report.contents import Contents, ShownReconstruction
from cgdmer_jax.report.curves import curves_section
from cgdmer_jax.report.ecg_paper import ecg_page_svg
from cgdmer_jax.report.first_table import results_section
from cgdmer_jax.report.patient import case_section
from cgdmer_jax.report.sections import sections
from cgdmer_jax.report.shell import document, ecg_figure, sheet
from cgdmer_jax.report.tables import facts_table

NO_CURVES = f"training curves: the run has no {METRICS}"


def page(contents: Contents, results: dict, metrics: Sequence[dict] | None, diagnostics: str) -> str:
    """HTML of a whole document.

    `results` is the document of results.json; `metrics` the records of metrics.jsonl, None where there is no such
    file; `diagnostics` the section of diagnostics.json, empty where there is none.
    """
    rows, versions = results["rows"], _versions(contents.version, results)
    case = contents.case
    return document(
        contents.title,
        [
            "<h2>Run</h2>\n" + facts_table("What was evaluated, and how", _facts(contents, results, metrics, versions)),
            results_section(rows, contents.own_method),
            *sections(rows, contents.own_method),
            _reconstructions(contents.reconstructions),
            case_section(case, versions) if case else "",
            diagnostics,
            curves_section(metrics or ()),
        ],
    )


def _facts(contents: Contents, results: dict, metrics: Sequence[dict] | None, versions: str) -> dict[str, str]:
    left_out = [*results["origin"].get("left_out", ()), *([NO_CURVES] if metrics is None else [])]
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
    words = f"{share:.0%} of the patches were hidden from the encoder (shaded); blue is its prediction."
    return ecg_figure(svg, words)
