"""Features whose spins remember: hold and spin, and chains of memories."""
