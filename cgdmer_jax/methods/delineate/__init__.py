"""Delineation: the wave (P, QRS, T) that each sample of each lead belongs to, from the tokens of an encoder."""
