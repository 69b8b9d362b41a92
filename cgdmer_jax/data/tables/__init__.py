"""Tables that somebody else wrote: CSV of any separator and encoding, and Parquet, read by one function.

`table.py` reads, `cells.py` says what a cell means.
"""
