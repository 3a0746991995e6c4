"""What can be wrong with a dataset's files."""


class AnnotationError(ValueError):
    """An annotation that cannot be used; the message names the file, the line, the reason and the remedy."""


class DatasetNotFoundError(ValueError):
    """The files of a dataset are not there; the message says which are expected and how to get them."""
