"""Keep mmengine's chatter about itself out of the log, so that a warning in it means something."""

import logging
import re

# each is said of every ordinary run, and there is nothing that its reader could do
_CHATTER = re.compile(
    r"Failed to search registry with scope"  # component kinds that this project adds nothing to
    r"|\"(FileClient|HardDiskBackend)\""  # mmengine's own use of its old names
    r"|paramwise_options -- "  # learning rate of each single weight
    r"|.* is skipped since its requires_grad=False"  # each single weight of a frozen backbone
    r"|Dataset .* has no metainfo"
)


class ChatterFilter(logging.Filter):
    """Drop log records that only describe mmengine's internals."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for chatter."""
        return _CHATTER.match(record.getMessage()) is None


def quieten(logger: logging.Logger) -> logging.Logger:
    """Add the filter once and return the logger."""
    if not any(isinstance(present, ChatterFilter) for present in logger.filters):
        logger.addFilter(ChatterFilter())
    return logger
