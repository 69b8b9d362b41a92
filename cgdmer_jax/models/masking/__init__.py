"""Which tokens are hidden: slots, strategies, words."""
