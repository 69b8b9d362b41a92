"""Text encoders: BERT, T5, one trained from scratch, and the tower around them."""
