"""Heights as pictures to look at, never a source of heights: one style for all that draws them.

Palettes, ranges, colours and the numbers beside them need numpy only; a figure with them, for the
screen or for a paper, is drawn by Matplotlib.
"""
