"""K-MERL: config, network, loss, method."""
