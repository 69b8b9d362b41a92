"""From measured signals to the model's input: conditioning, quality, limb leads, windows, heart rate, waves.

No JAX and no files; millivolts in, NaN where nothing was measured.
"""
