"""CG-DMER: config, network, forward passes, hybrid loss, method."""
