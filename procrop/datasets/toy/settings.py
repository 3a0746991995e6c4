"""What a toy data set is made from, and the list of photos that follows from it."""

from dataclasses import asdict, dataclass
from typing import Any

from procrop.datasets.toy.hidden_style import HiddenStylePlan
from procrop.datasets.toy.two_subjects import Pair, TwoSubjectsPlan

SPLITS = ("train", "val", "test")


class ToyDatasetError(ValueError):
    """A toy data set cannot be made as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Job:
    """One photo to be made.

    Attributes:
        id: file name without suffix.
        split: "train", "val", "test" or "gallery".
        key: numbers that, with the seed, decide everything random about the photo.
        family, style: of the hidden-style mode, else none.
        pair: of the two-subjects mode, else none.
    """

    id: str
    split: str
    key: tuple[int, ...]
    family: int | None = None
    style: str | None = None
    pair: Pair | None = None

    @property
    def one_favourite(self) -> bool:
        """Whether the annotators agree on the best crop, because the data are there to see if a model finds it."""
        return self.style is not None or self.pair is not None


@dataclass(frozen=True)
class ToySettings:
    """Arguments of a toy data set.

    Attributes:
        seed: decides everything random.
        size: (width, height) of the photos in pixels.
        images: number of annotated photos (plain and two-subjects modes).
        splits: shares of train, val and test (plain and two-subjects modes).
        gallery: number of gallery photos (plain mode).
        hidden_style: photos of scene families whose style only the gallery tells.
        two_subjects: photos of two subjects, with captions of which each names one; no gallery.
        families, val_families, test_families: number of families that only train, val, test photos show.
        photos_per_family, gallery_per_family: photos to be cropped, and gallery photos, of each family.

    Raises:
        ToyDatasetError: for values that make no data set.
    """

    seed: int = 0
    size: tuple[int, int] = (384, 288)
    images: int = 200
    splits: tuple[float, float, float] = (0.7, 0.1, 0.2)
    gallery: int = 300
    hidden_style: bool = False
    families: int = 200
    val_families: int = 10
    test_families: int = 50
    photos_per_family: int = 2
    gallery_per_family: int = 12
    two_subjects: bool = False

    def __post_init__(self) -> None:
        for name in ("seed", "images", "gallery", "families", "val_families", "test_families"):
            if getattr(self, name) < 0:
                raise ToyDatasetError(f"{name} must not be negative, not {getattr(self, name)}")
        if min(self.photos_per_family, self.gallery_per_family) < 1:
            raise ToyDatasetError("photos_per_family and gallery_per_family must be 1 or more")
        if self.hidden_style and self.two_subjects:
            raise ToyDatasetError("hidden_style and two_subjects are modes of their own: choose one of them")
        width, height = self.size
        if min(self.size) < 96 or max(self.size) > 4096 or not 0.7 <= width / height <= 1.9:
            raise ToyDatasetError(
                f"size {width}x{height}: use sides of 96 to 4096 pixels, 0.7 to 1.9 times as wide as high"
            )
        if len(self.splits) != 3 or min(self.splits) < 0 or abs(sum(self.splits) - 1) > 1e-6:
            raise ToyDatasetError(f"splits {self.splits}: give three shares (train, val, test) that sum to 1")

    def as_dict(self) -> dict[str, Any]:
        """The settings that matter in the chosen mode, ready for JSON."""
        values = asdict(self) | {"size": list(self.size), "splits": list(self.splits)}
        plain, styled = {"images", "splits", "gallery", "hidden_style"}, {"hidden_style"}
        styled |= {"families", "val_families", "test_families", "photos_per_family", "gallery_per_family"}
        paired = {"images", "splits", "two_subjects"}
        kept = styled if self.hidden_style else paired if self.two_subjects else plain
        return {name: value for name, value in values.items() if name in kept | {"seed", "size"}}

    @property
    def plan(self) -> HiddenStylePlan:
        """Families, looks and styles of the hidden-style mode."""
        counts = (self.families, self.val_families, self.test_families)
        return HiddenStylePlan(self.seed, dict(zip(SPLITS, counts, strict=True)))

    def jobs(self) -> list[Job]:
        """All photos of the data set, gallery last."""
        if self.two_subjects:
            return self._paired_jobs()
        return self._styled_jobs() if self.hidden_style else self._plain_jobs()

    def _split_names(self) -> list[str]:
        """Split of each annotated photo."""
        train, val = (round(self.images * share) for share in self.splits[:2])
        names = ["train"] * train + ["val"] * val
        return (names + ["test"] * self.images)[: self.images]

    def _paired_jobs(self) -> list[Job]:
        names = self._split_names()
        pairs = TwoSubjectsPlan(self.seed, {split: names.count(split) for split in SPLITS}).pairs()
        both = enumerate(zip(names, pairs, strict=True))
        return [Job(f"toy_{i:05d}", split, (5, i), pair=pair) for i, (split, pair) in both]

    def _plain_jobs(self) -> list[Job]:
        photos = [Job(f"toy_{i:05d}", split, (1, i)) for i, split in enumerate(self._split_names())]
        return photos + [Job(f"pro_{i:05d}", "gallery", (2, i)) for i in range(self.gallery)]

    def _styled_jobs(self) -> list[Job]:
        styles, photos, gallery = self.plan.styles(), [], []
        for family, split in self.plan.families:
            style = styles[family]
            for i in range(self.photos_per_family):
                photos.append(Job(f"toy_{family:04d}_{i:02d}", split, (3, family, i), family, style))
            for i in range(self.gallery_per_family):
                gallery.append(Job(f"pro_{family:04d}_{i:02d}", "gallery", (4, family, i), family, style))
        return photos + gallery
