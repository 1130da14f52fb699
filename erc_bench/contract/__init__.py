"""What authors of systems and datasets implement."""
