"""What can go wrong in the library, apart from bad input and failing machines."""


class Refused(Exception):
    """The library's rules do not allow this now; the message is for the reader."""


class NotReady(Exception):
    """The database has no tables yet, or those of another version."""
