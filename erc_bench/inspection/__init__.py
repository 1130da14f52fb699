"""Looking at runs and rows: side by side, compared, recomputed."""
