"""Certificates, and builds against them."""
