"""What does a run leave on disk? Records, predictions, and how they are read back."""
