"""One held-out recording on ECG paper with its hidden patches predicted."""

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.evaluation.evaluation import Evaluation
from cgdmer_jax.evaluation.reconstruction import masked_by, reconstructor
from cgdmer_jax.recipes import build, embedding
from cgdmer_jax.report.ecg_paper import ecg_page_svg
from cgdmer_jax.report.page import EcgPage


def reconstruction_pages(state: Evaluation) -> list[EcgPage]:
    """A page of the first scored record, or none for a method that reconstructs nothing."""
    run = state.trained
    if not run.method.declared.reconstructs:
        return []
    line = state.lines[[state.shown_record()]]
    batch, _ = next(iter(build.read_batches(state.corpus, line, state.table, embedding.EVALUATION_BATCH)))
    masked = masked_by(run, run.config.method.masking)
    draws = jax.jit(masked.draw)(jax.random.key(0), batch, jnp.float32(1))
    made_mv, _, hidden = (part[0] for part in reconstructor(state)(batch, draws))
    n = made_mv.shape[1]
    record_id = state.corpus.column("record_id")[line[0]]
    svg = ecg_page_svg(
        batch.signal[0, :, :n] * 1e-3,
        state.corpus.rate,
        title=f"Record {record_id} of {state.base.store}",
        lead_mask=batch.lead_mask[0],
        overlay_mv=made_mv.astype(np.float64),
        hidden=hidden,
    )
    share = hidden.sum() / (batch.lead_mask[0].sum() * hidden.shape[1])
    return [EcgPage(svg, f"{share:.0%} of the patches were hidden from the encoder (shaded); blue is its prediction.")]
