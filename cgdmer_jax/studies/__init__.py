"""Grids, tables and paired comparisons of many runs. What a single run does is in recipes and evaluation."""
