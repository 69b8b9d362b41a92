"""Weights and encoders that cross the border: the model folder, scikit-learn, the Hugging Face hub, PyTorch files.

Nothing here trains, and nothing but load and its Encoder decides how a user's recording is read.
"""
