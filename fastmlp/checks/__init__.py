"""Checks of what a caller hands in, in words that help."""
