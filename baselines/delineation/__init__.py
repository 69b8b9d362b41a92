"""Delineations beside those of a pretrained encoder: NeuroKit2's wavelets, and a small U-Net trained from scratch."""
