"""One held-out recording on ECG paper with its hidden patches predicted."""

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.evaluation.ecg_paper import ecg_page_svg
from cgdmer_jax.evaluation.report import EcgPage
from experiments import build
from experiments.scoring import Evaluation

ATTEMPTS = 50  # draws looked at for one without lead dropout; all of them drop leads with probability 0.3^50


def reconstruction_pages(state: Evaluation) -> list[EcgPage]:
    """A page of the first scored record, or none for a method that reconstructs nothing."""
    run = state.trained
    if not hasattr(run.method, "reconstruct"):
        return []
    line = state.lines[state.tasks[0].score[:1]]
    batch, _ = next(iter(build.read_batches(state.corpus, line, state.table, 1)))
    draw = jax.jit(run.method.draw)
    draws = next(
        draws
        for draws in (draw(jax.random.key(s), batch, jnp.float32(1)) for s in range(ATTEMPTS))
        if np.array_equal(draws.lead_mask, batch.lead_mask)
    )
    made = jax.jit(run.method.reconstruct)(run.variables, batch, draws)
    hidden = np.asarray(made.hidden[0])
    n = made.signal_mv.shape[2]
    record_id = state.corpus.column("record_id")[line[0]]
    svg = ecg_page_svg(
        batch.signal[0, :, :n] * 1e-3,
        state.corpus.rate,
        title=f"Record {record_id} of {state.base.store}",
        lead_mask=batch.lead_mask[0],
        overlay_mv=np.asarray(made.signal_mv[0], np.float64),
        hidden=hidden,
    )
    share = hidden.sum() / (batch.lead_mask[0].sum() * hidden.shape[1])
    return [EcgPage(svg, f"{share:.0%} of the patches were hidden from the encoder (shaded); blue is its prediction.")]
