"""Arrays in, figures out. No JAX, no files of a run, no model."""
