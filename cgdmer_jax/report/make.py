"""report.html of a finished evaluation, from its files alone: neither the model nor JAX is needed."""

import os
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import RESULTS, read_results
from cgdmer_jax.metrics_file import METRICS, read_metrics
from cgdmer_jax.report.contents import CONTENTS, REMEDY, read_contents
from cgdmer_jax.report.diagnostics import DIAGNOSTICS, read_section
from cgdmer_jax.report.page import page
from cgdmer_jax.whole_file import sha256_of, write_whole

REPORT = "report.html"
LARGEST_BYTES = 5_000_000


class Extras(NamedTuple):
    """Results of other commands that the page shows, where they exist."""

    metrics: list[dict] | None  # of the training
    diagnostics: str  # HTML section


def make_report(folder: Path) -> Path:
    """Writes report.html from results.json, report.json, diagnostics.json and the run's metrics.jsonl, in one rename.

    `folder` is RUN/evaluation/<store>/<split>, or step-N or merl in there.
    """
    if not (folder / RESULTS).exists():
        raise CgdmerError(f"{folder} holds no {RESULTS}; give the folder that experiments.evaluate wrote")
    results, contents, extras = read_results(folder / RESULTS), read_contents(folder), read_extras(folder)
    if contents.results_sha256 != sha256_of(folder / RESULTS):
        raise CgdmerError(f"{folder / CONTENTS} was not written with the {RESULTS} beside it; {REMEDY}")
    content = page(contents, results, *extras).encode()
    path = folder / REPORT
    if len(content) > LARGEST_BYTES:
        raise CgdmerError(
            f"{path} would hold {len(content):,} bytes, more than {LARGEST_BYTES:,}; evaluate with fewer --features"
        )
    write_whole(path, content)
    return path


def read_extras(folder: Path) -> Extras:
    """Leaves out what is absent; raises on what is damaged, with what to do."""
    run, diagnosed = _run_of(folder), folder / DIAGNOSTICS
    metrics = run / METRICS if run else None
    return Extras(
        read_metrics(metrics) if metrics and metrics.exists() else None,
        read_section(diagnosed) if diagnosed.exists() else "",
    )


def _run_of(folder: Path) -> Path | None:
    """RUN of RUN/evaluation/<store>/<split>/...; None for a folder that was copied out of its run."""
    whole = Path(os.path.abspath(folder))  # of `.`; tried last: errors name a path as it was given
    places = [place for start in (folder, whole) for place in (start, *start.parents) if len(place.parents) > 2]
    splits = [place for place in places if place.parents[1].name == "evaluation"]
    return next((place.parents[2] for place in splits if place.name in ("validation", "test")), None)
