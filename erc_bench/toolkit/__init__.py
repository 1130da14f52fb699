"""What may the author of a system build on? Encoders, training, word vectors, prompts, servers (docs/toolkit.md)."""

__all__ = [
    "embedding_cache",
    "encoder_sources",
    "encoders",
    "precision",
    "prompts",
    "prototypes",
    "serving",
    "threads",
    "training",
    "triplets",
    "word_vectors",
]
