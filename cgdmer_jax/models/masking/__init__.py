"""Masking: slots, strategies, words. Draws decide here; nothing here learns."""
