"""How good are answers, and how sure is that? Metrics, intervals and tests, from counts of confusions."""
