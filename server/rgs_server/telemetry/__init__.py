"""What the service says of itself: metrics of its workers and of the database, traces of requests."""
