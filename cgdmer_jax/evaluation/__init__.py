"""Evaluators, one file each; evaluate.py runs them in order and writes what they return.

Arithmetic belongs to metrics, HTML to report, and how a run is loaded and embedded to recipes.
"""
