"""Tree ensembles: read without the library that trained them, scored in one fixed order, explained exactly."""
