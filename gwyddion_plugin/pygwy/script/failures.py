"""How a run ends without a result."""

TAIL = 2000  # characters of a detail, such as the worker's stderr, that are shown


class Cancelled(Exception):
    pass


class Failure(Exception):
    """What the user is told, with the cure, and details."""

    def __init__(self, message, detail=""):
        Exception.__init__(self, message)
        self.message, self.detail = message, detail
