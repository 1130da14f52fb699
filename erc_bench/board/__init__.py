"""The board: rows from run records, and how they are written."""
