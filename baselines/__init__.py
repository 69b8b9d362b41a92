"""Models in other frameworks that we compare with; not part of the package."""
