"""The one training loop and what it stands on: step, state, optimiser, checkpoints, placement, hosts, run folder.

It knows a method by its protocol alone; batches and hooks are handed in.
"""
