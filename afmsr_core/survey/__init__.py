"""The blind expert survey: sets of one truth and unlabelled results, scored by people."""
