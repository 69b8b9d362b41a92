"""Recordings and reports, from their files to batches: readers, sources, text, store, corpus, loader.

No JAX here, and no method: a batch holds arrays, whatever is trained on them.
"""
