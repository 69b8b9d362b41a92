"""The report page of one evaluation: what stands at its head, and which parts its protocol has."""

from pathlib import Path
from typing import NamedTuple

import jax

from cgdmer_jax.data.splits import probe_folds
from cgdmer_jax.evaluation.diagnostics import FILE as DIAGNOSTICS
from cgdmer_jax.evaluation.evaluation import Evaluation
from cgdmer_jax.evaluation.pages.patient_page import make_case
from cgdmer_jax.evaluation.pages.patient_page_facts import listed, versions
from cgdmer_jax.evaluation.pages.reconstruction_page import reconstruction_pages
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.report.diagnostics import read_section
from cgdmer_jax.report.page import write_report
from cgdmer_jax.report.patient import case_section

CURVES = {
    "Loss": {"training": "loss", "validation": "validation_loss"},
    "Reconstruction": {"training": "ecg", "validation": "validation_ecg"},
    "Cross reconstruction": {"training": "cross", "validation": "validation_cross"},
    "Report words": {"training": "text", "validation": "validation_text"},
    "Alignment": {"training": "align", "validation": "validation_align"},
    "Disentangling": {"training": "disentangle", "validation": "validation_disentangle"},
    "Retrieval": {"recall at 10": "validation_ecg_to_text_recall_at_10"},
}
MERL_ROLES = {
    "test": "fitted on the train table, epoch chosen on val, scored on test",
    "validation": "fitted on the train table less fold 8, epoch chosen on that fold, scored on val",
}


class Extras(NamedTuple):
    """What the page shows of other commands."""

    metrics: list[dict]  # of the training; [] of a run that has none
    diagnostics: list[str]  # HTML sections


def read_extras(state: Evaluation, out: Path, protocol: str) -> Extras:
    """Read before anything is scored: a damaged file is told while no work can be lost. What is absent is left out."""
    metrics, diagnosed = state.trained.folder.metrics, out / DIAGNOSTICS
    if not metrics.exists():
        state.leave_out("training curves", f"the run has no {metrics.name}")
    shown = protocol == "clean" and diagnosed.exists()
    return Extras(
        read_metrics(metrics) if metrics.exists() else [],
        [read_section(diagnosed)] if shown else [],
    )


def report(state: Evaluation, path: Path, line: str, origin: dict, feature: str, extras: Extras) -> None:
    """`feature` is the headline; one patient's page and reconstructions belong to protocol `clean`."""
    protocol, clean = state.base.protocol, state.base.protocol == "clean"
    write_report(
        path,
        title=f"{state.base.method} on {state.base.store}, {state.base.split} split, protocol {protocol}",
        facts=facts_of(state, line, origin),
        rows=state.rows,
        own_method=state.base.method,
        curves=CURVES,
        metrics=extras.metrics,
        pages=reconstruction_pages(state) if clean else [],
        more=[case_section(make_case(state, feature)), *extras.diagnostics] if clean else [],
    )


def facts_of(state: Evaluation, line: str, origin: dict) -> dict[str, str]:
    """Head of the report."""
    run, info = state.trained, state.corpus.stores[0].info
    return {
        "Run": f"{state.base.run}, step {run.step}",
        "Method": run.config.method_name,
        "Store": f"{info['name']} (fingerprint {state.corpus.fingerprint[:8]}), {state.corpus.n_records:,} records, "
        f"{state.corpus.rate:g} Hz ({info['licence']})",
        "Protocol": f"{state.base.protocol}; split {state.base.split}: {_roles(state)}",
        "Trained on": ", ".join(f"{t.name} ({t.n_patients:,} patients)" for t in run.contract.trained_on),
        "Scored records seen in training": str(state.overlap),
        "Prompts": f"{origin['prompts'][:16]} (sha256)" if origin["prompts"] else "none for this collection",
        **({"Left out": "; ".join(state.left_out)} if state.left_out else {}),
        "Command": line,
        "Device": str(jax.devices()[0]),
        "Versions": versions(),
    }


def _roles(state: Evaluation) -> str:
    """Who is fitted, chosen on and scored."""
    if state.base.protocol == "merl":
        return MERL_ROLES[state.base.split]
    folds = probe_folds(state.base.split)
    return f"fitted on folds {listed(folds.fit)}, C chosen on {listed(folds.choose)}, scored on {listed(folds.score)}"
