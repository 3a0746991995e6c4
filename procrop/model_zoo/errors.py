"""What can go wrong between a model's name and its file."""


class ModelZooError(ValueError):
    """A name that no model has, or a model that is not on this machine."""


class MetafileError(ModelZooError):
    """A metafile that cannot be used; the message names the file, the entry and the key."""


class DownloadError(ModelZooError):
    """A file that could not be fetched, or is not the one that was published."""
