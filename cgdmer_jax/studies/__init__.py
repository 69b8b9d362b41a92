"""Grids, tables and paired comparisons of many runs.

What a single run does is in recipes and evaluation; a study starts them as commands of their own.
"""
