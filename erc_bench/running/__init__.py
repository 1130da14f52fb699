"""Making runs: systems are executed, checked, exported and started here."""
