"""What does the author of a system implement, and in which words? Systems, settings, dialogues, labels."""
