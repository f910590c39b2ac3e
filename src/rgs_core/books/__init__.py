"""Finished rounds as files for publishers."""
