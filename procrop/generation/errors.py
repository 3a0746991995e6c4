"""What can go wrong with a generation as a whole."""


class GenerationError(ValueError):
    """A dataset that cannot be generated as asked; the message names the file or key and the remedy."""
