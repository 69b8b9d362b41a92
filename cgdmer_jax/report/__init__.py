"""From figures and arrays to a self-contained HTML report. No JAX, no model."""
