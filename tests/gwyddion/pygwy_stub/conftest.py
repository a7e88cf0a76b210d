"""What is here is for Python 2.7: pytest must not import it."""

collect_ignore_glob = ["*.py"]
