"""How the shipped weights were made. Not installed; run from a checkout."""
