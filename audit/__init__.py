"""What happened, proven; and how good and fair a model is. Owns the database."""
