"""Many scans: from a list of files to results on disk, in this process, in several, on a cluster.

The command line, Python and the benchmarks all go through here. What is written is whole or
absent, a file that fails costs no other, and a second run goes on where the first ended.
"""
