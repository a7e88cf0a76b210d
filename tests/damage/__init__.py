"""Damaged files by the thousand, from a seed: whatever is read must be refused by name, in time.

``python -m tests.damage native --files 30000 --seed 1`` makes them, reads each and stops with the
first that breaks a promise; the test-suite runs a tenth. A module here is a family of formats. It
has ``generate(seed, count)``, which yields `mutations.Damaged` files, ``check(path)``, which reads
one as a user would and returns what came of it in a word, ``LIMIT``, the seconds that it may take,
and ``prepare(folder)``, which does once what is done once, such as imports.
"""
