"""The checks a model passes through, one question per file."""
