"""How a board is written: one module a format."""
