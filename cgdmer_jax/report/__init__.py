"""From results.json and the files beside it to one self-contained HTML page.

No JAX and no model: a page can be made again when the weights are gone.
"""
