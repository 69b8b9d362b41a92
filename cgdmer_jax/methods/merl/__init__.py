"""MERL: config, network, method."""
