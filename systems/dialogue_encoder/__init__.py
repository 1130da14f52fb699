"""A pretrained transformer fine-tuned on dialogues, on their past only, or on single utterances."""
