"""Which utterances count, and what is asked of them."""
