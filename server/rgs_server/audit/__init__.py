"""The audit log of the service: who sequences and signs it, who reads it, what is kept and for how long."""
