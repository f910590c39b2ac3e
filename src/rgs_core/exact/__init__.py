"""Exact figures: laws of a spin, of features, of rounds."""
