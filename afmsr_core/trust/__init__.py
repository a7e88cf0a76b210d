"""Trust: how far a result is to be believed, and where to look again.

Noise from the scan itself, agreement with the measured pixels, a calibrated interval around each
height, a verdict on the size of the pixels, and the regions that a zoom scan should check.
"""
