"""Work that a command does, callable from Python: pretrain, adapt, encode, export, and what these share.

A printed answer belongs to commands, a score to evaluation, a page to report.
"""
