"""The spin service: signed HTTP in, durable rounds in PostgreSQL out."""
