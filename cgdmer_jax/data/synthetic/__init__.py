"""Synthetic hearts, their recordings and their reports."""
