"""The console: what auditors and operators look at. It reads, and changes nothing."""
