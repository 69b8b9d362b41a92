"""Arrays in, figures out: AUROC, bootstrap, probes, retrieval, results.json.

No JAX, no files of a run and no model; what is scored with what is decided in evaluation.
"""
