"""Readers of recordings, one file a format: a path in, a Recording out.

A reader knows no collection: patients, reports and labels belong to sources.
"""
