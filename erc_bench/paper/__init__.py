"""What does the paper say, and what was measured? The tables and figures of Gendron and Guibon (WASSA 2024)."""
