"""How much the page takes."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class DemoLimits:
    """Bounds of what visitors can make the page hold.

    Attributes:
        upload_mb: size of a photo's file, in 2^20 bytes.
        pixels: of a photo, read from its header before anything is decoded.
        photos: of a session at a time.
        sessions: open at a time; a further one closes the one that has rested longest.
        memory_mb: of all embedded photos together, in 2^20 bytes; those that were not used for longest go, and are
            embedded again when they are needed.
        idle_s: a session that rests so long is closed.
        left_s: a session whose page was closed is kept so long, because a phone that sleeps looks the same.

    Raises:
        ValueError: a bound is not above 0.
    """

    upload_mb: int = 30
    pixels: int = 100_000_000
    photos: int = 20
    sessions: int = 32
    memory_mb: int = 2000
    idle_s: float = 3600.0
    left_s: float = 300.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"the limit {field.name} must be above 0, got {value}")

    @property
    def upload_bytes(self) -> int:
        """``upload_mb`` in bytes."""
        return self.upload_mb * 2**20

    @property
    def memory_bytes(self) -> int:
        """``memory_mb`` in bytes."""
        return self.memory_mb * 2**20
