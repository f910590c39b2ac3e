"""The audit log as others see it: a Merkle tree, its signed checkpoints, exports of it. No sockets, no SQL."""
