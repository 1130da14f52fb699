"""SentEmoContext (Gendron and Guibon, WASSA 2024): as described, on three encoders, and as released."""
