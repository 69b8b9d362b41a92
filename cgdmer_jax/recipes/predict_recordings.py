"""A folder of recordings to the probabilities of a model's classes, as a table."""

import csv
import io
from pathlib import Path

from cgdmer_jax.data.readers.formats import NO_HINTS, Hints
from cgdmer_jax.errors import CgdmerError, visible
from cgdmer_jax.interop.prediction_head import PredictionHead
from cgdmer_jax.interop.pretrained import read_model
from cgdmer_jax.npz_file import read_arrays
from cgdmer_jax.recipes.embed_recordings import embed_folder
from cgdmer_jax.whole_file import write_whole

ENDING, LOGITS = ".csv", "logits"


def predict_folder(model: str, records: Path, out: Path, *, windows: str = "first", hints: Hints = NO_HINTS) -> str:
    """Predicts every recording below a folder, whatever its format; says what was written and how it is read.

    - `model`: model folder that predicts (of `fit`, or exported from a run of `finetune`).
    - `out`: .csv file to write: record, start_s (seconds), the probability of each class by its code, and in `found`
      the codes whose probability is at least their threshold, with ";" between.
    - `windows`, `hints`: as of `embed_folder`, with which a call that was stopped also continues.
    """
    if out.suffix != ENDING:
        raise CgdmerError(f"--out={out} does not end in {ENDING}; name a file that does")
    head = read_model(model).head
    if head is None:
        raise CgdmerError(f"{model} predicts no classes; give a model folder of experiments.fit or of a fine-tuned run")
    logits = out.with_name(f".{out.name}.{LOGITS}.npz")  # until the table is written
    read = embed_folder(model, records, logits, feature=LOGITS, windows=windows, hints=hints)
    made = read_arrays(logits, remedy="run the command again")
    probabilities = head.probabilities(made["embedding"])
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["record", "start_s", *head.codes, "found"])
    for name, start_s, row in zip(made["record"], made["start_s"], probabilities, strict=True):
        cuts = zip(head.codes, row, head.thresholds, strict=True)
        found = [code for code, probability, cut in cuts if cut is not None and probability >= cut]
        writer.writerow([name, f"{start_s:g}", *(f"{probability:.4f}" for probability in row), ";".join(found)])
    write_whole(out, table.getvalue())
    logits.unlink()
    return f"{out}: a line for each of {read.recordings}; {read.left_out}\n{_how_to_read(head)}"


def _how_to_read(head: PredictionHead) -> str:
    cuts = zip(head.codes, head.thresholds, strict=True)
    thresholds = ", ".join(f"{code} {'none' if cut is None else f'{cut:.3f}'}" for code, cut in cuts)
    raw = [code for code, calibrated in zip(head.codes, head.calibrated, strict=True) if not calibrated]
    told = f" (not calibrated: {', '.join(raw)})" if raw else ""
    return visible(
        f"columns {', '.join(head.codes)}: probability of each, 0 to 1{told}; found: those at or above their threshold "
        f"({thresholds}); start_s: where in the recording the window begins, in seconds"
    )
