"""What a model is made of: its network, and rows that fit it."""
