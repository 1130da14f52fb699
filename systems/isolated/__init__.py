"""The SEC paper's isolated baselines: word vectors, no context."""
