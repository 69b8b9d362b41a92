"""The sealed store: conversion, tables, hashes. Nothing here knows a collection or a model."""
