"""Experiments the negative list asks for: one pure function of what is examined for each kind."""
