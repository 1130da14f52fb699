"""What the author of a system may build on: encoders, training, prompts, servers."""
