"""Pages of the report, gathered from a finished evaluation."""
