"""Simulations as sums of shards."""
