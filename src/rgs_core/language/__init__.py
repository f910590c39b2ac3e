"""The model language: its words, the files they are written in, and what can be said of a model."""
