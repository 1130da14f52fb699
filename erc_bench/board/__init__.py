"""What stands on the board? Its rows, measured and published, and how they are written."""
