"""What is behind a number? Dialogues side by side, two rows compared, what a corpus repeats, all recomputed."""
