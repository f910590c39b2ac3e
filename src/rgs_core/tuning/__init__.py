"""New weights and strips whose exact figures meet targets."""
