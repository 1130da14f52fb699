"""From confusion counts to scores, intervals and differences."""
