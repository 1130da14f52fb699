"""Which utterances count, and what is asked of them? One module or folder a protocol."""
