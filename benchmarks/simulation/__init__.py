"""Simulated scans against real ones, and how long they take."""
