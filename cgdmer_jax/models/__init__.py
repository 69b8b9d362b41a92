"""Linen modules: ECG and text encoders, masking, transformer, attention, heads.

No losses, no batches and no configs of methods: a module takes arrays and its own sizes.
"""
