"""The sealed store: conversion, tables, hashes, opening.

Nothing here knows a collection or a model.
"""
