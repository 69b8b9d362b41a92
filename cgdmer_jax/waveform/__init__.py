"""From measured signals to the model's input: conditioning, quality, limb leads, heart rate. No JAX, no files."""
