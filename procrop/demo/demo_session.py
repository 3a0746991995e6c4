"""What one visitor does with the page: photos, options, references; without a word about how it is shown."""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from procrop.demo.crop_files import write_archive, write_crop_file
from procrop.demo.demo_photo import DemoPhoto, clean_name
from procrop.demo.shared_cropper import SharedCropper
from procrop.inference import CropRequest, CropResult, PhotoRejected, ReferenceChoice
from procrop.io import PhotoError
from procrop.io.photo import opened_photo
from procrop.visualization.crop_overlay import scale_to_fit

_THUMBNAIL = (132, 99)  # pixels
_GONE = "the photo is not here any more: the page lets go of photos after a long rest; drop it again"


class SessionEndedError(ValueError):
    """What was asked for belongs to a session that is over, or to an answer that has changed since."""


@dataclass(frozen=True)
class DemoOptions:
    """What a visitor wants of the crops.

    Attributes:
        ratio: as in :class:`CropRequest`.
        top_k: number of crops.
        gallery: name of the gallery; None takes the first one.
    """

    ratio: str | None = None
    top_k: int = 3
    gallery: str | None = None


class DemoSession:
    """The photos and wishes of one visitor.

    Each photo passes the image backbone once; options, pins and bans are answered from its embedding. All methods may
    be called from several threads; one waits for the other. What a visitor gets wrong raises nothing: it stands in
    ``message``, and everything else stays as it was.

    Args:
        cropper: the cropper that all sessions share.
        folder: an empty folder for this session alone; :meth:`close` removes it.

    Attributes:
        photos: id -> photo, in the order they came in, rejected ones among them.
        chosen: id of the photo that is looked at, or None.
        options: what is asked of all photos.
        message: what the last change had to say, or "".
        token: a secret that names the session in addresses of its files.
        drawn: a place for what draws the session: the last answer that it drew, and what came of it.
    """

    def __init__(self, cropper: SharedCropper, folder: Path) -> None:
        self.cropper, self.folder, self.limits = cropper, folder, cropper.limits
        self.token = secrets.token_urlsafe(24)
        self.lock = threading.RLock()
        self.photos: dict[str, DemoPhoto] = {}
        self.chosen: str | None = None
        first = cropper.gallery_names[0] if cropper.gallery_names else None
        self.options = DemoOptions(gallery=first, top_k=min(3, cropper.most_crops))
        self.message = ""
        self.closed = False
        self.drawn: tuple[tuple[str, int], str] | None = None
        self._choices: dict[str | None, ReferenceChoice] = {}
        self._seen: dict[tuple[str | None, str], str | None] = {}
        self._count = 0

    # photos

    def add(self, upload: Path, name: str) -> DemoPhoto:
        """Take a photo file in and crop it.

        Args:
            upload: the file. It stays where it is, because an equal photo of somebody else may be the same file.
            name: what the visitor calls it.

        Returns:
            The photo; with ``rejected`` where it cannot be cropped.
        """
        with self.lock:
            photo = self._new_photo(name)
            path = self.folder / photo.id
            try:
                _take(upload, path)
                self._check_file(path)
                embedding = self.cropper.embedding(self._key(photo), path)
            except (PhotoError, PhotoRejected) as error:
                path.unlink(missing_ok=True)
                photo.rejected = error.reason
                return photo
            photo.path, photo.size = path, embedding.size
            width, height = embedding.size
            room = min(_THUMBNAIL[0], width), min(_THUMBNAIL[1], height)
            photo.thumbnail = scale_to_fit(embedding.photo, room)
            if self.chosen is None:
                self.chosen = photo.id
            self._answer(photo)
            return photo

    def refuse(self, name: str, reason: str) -> DemoPhoto:
        """Note a photo that did not even come in."""
        with self.lock:
            photo = self._new_photo(name)
            photo.rejected = reason
            return photo

    def _new_photo(self, name: str) -> DemoPhoto:
        self._begin()
        rejected = [photo for photo in self.photos.values() if photo.rejected is not None]
        for old in rejected[: max(0, len(rejected) - self.limits.photos + 1)]:
            del self.photos[old.id]
        self._count += 1
        name = clean_name(name, [photo.name for photo in self.photos.values()])
        photo = DemoPhoto(f"p{self._count}", name)
        self.photos[photo.id] = photo
        return photo

    def _check_file(self, path: Path) -> None:
        limits = self.limits
        size, here = path.stat().st_size, sum(photo.path is not None for photo in self.photos.values())
        if here >= limits.photos:
            raise PhotoError(path, f"there are {here} photos here already, which is the limit; remove some")
        if size > limits.upload_bytes:
            reason = f"its file of {size / 2**20:.1f} MB is larger than the limit of {limits.upload_mb} MB"
            raise PhotoError(path, reason)
        with opened_photo(path, limits.pixels):  # the header alone says how large it is
            pass

    def remove(self, photo_id: str) -> None:
        """Let go of a photo and its file."""
        with self.lock:
            self._begin()
            photo = self.photos.pop(photo_id, None)
            if photo is None:
                return
            self.cropper.forget(self._key(photo))
            if photo.path is not None:
                photo.path.unlink(missing_ok=True)
            if self.chosen == photo_id:
                left = [each.id for each in self.photos.values() if each.rejected is None]
                self.chosen = left[0] if left else None

    def choose(self, photo_id: str) -> None:
        """Look at a photo."""
        with self.lock:
            self._begin()
            photo = self.photos.get(photo_id)
            if photo is None or photo.rejected is not None:
                self.message = _GONE
                return
            self.chosen = photo_id

    # what is asked of them

    @property
    def choice(self) -> ReferenceChoice:
        """The pins and bans of the gallery in use."""
        return self._choices.get(self.options.gallery, ReferenceChoice())

    @property
    def request(self) -> CropRequest:
        """What is asked of all photos."""
        return CropRequest(self.options.top_k, self.options.ratio, references=self.choice)

    def set_options(self, options: DemoOptions) -> None:
        """Ask for something else from now on; what cannot be had is told in ``message``, and nothing changes."""
        with self.lock:
            self._begin()
            if options.gallery is None:
                options = replace(options, gallery=self.options.gallery)
            request = CropRequest(options.top_k, options.ratio)
            if self._accepts(options.gallery, request):
                self.options = options

    def pin(self, name: str) -> None:
        """Have a photo of the gallery among the references, whatever the photo."""
        with self.lock:
            choice, slots = self.choice, self.cropper.slots
            if len(set(choice.pinned) - {name}) >= slots:
                self._begin()
                self.message = f"{slots} references are pinned, and the model takes no more; unpin one first"
                return
            self._choose_references((*_without(choice.pinned, name), name), _without(choice.banned, name))

    def ban(self, name: str) -> None:
        """Have a photo of the gallery never among the references."""
        with self.lock:
            choice = self.choice
            self._choose_references(_without(choice.pinned, name), (*_without(choice.banned, name), name))

    def release(self, name: str) -> None:
        """Neither pin nor ban a photo of the gallery."""
        with self.lock:
            choice = self.choice
            self._choose_references(_without(choice.pinned, name), _without(choice.banned, name))

    def release_all(self) -> None:
        """Forget the pins and bans of the gallery in use."""
        with self.lock:
            self._choose_references((), ())

    def _choose_references(self, pinned: tuple[str, ...], banned: tuple[str, ...]) -> None:
        self._begin()
        choice = ReferenceChoice(pinned=pinned, banned=banned)
        if self._accepts(self.options.gallery, replace(self.request, references=choice)):
            self._choices[self.options.gallery] = choice

    def _accepts(self, gallery: str | None, request: CropRequest) -> bool:
        try:
            self.cropper.check(gallery, request)
        except ValueError as error:
            self.message = str(error)
            return False
        return True

    # answers

    def view(self) -> CropResult | None:
        """The crops of the photo that is looked at, with the photo itself; None where there is none."""
        with self.lock:
            if self.chosen is None:
                return None
            photo = self.photos[self.chosen]
            result = self._answer(photo)
            return replace(result, image=self.cropper.embedding(self._key(photo), photo.path).photo)

    def banned(self) -> list[tuple[str, str | None]]:
        """Name and file of the banned photos of the gallery in use; None where the file is not known."""
        with self.lock:
            return [(name, self._seen.get((self.options.gallery, name))) for name in self.choice.banned]

    def _answer(self, photo: DemoPhoto) -> CropResult:
        asked = (self.options.gallery, self.request)
        if photo.result is None or photo.asked != asked:
            embedding = self.cropper.embedding(self._key(photo), photo.path)
            result = self.cropper.answer(embedding, *asked)
            for reference in result.references:
                self._seen[asked[0], reference.name] = reference.path
            # the photo is the embedding's to keep, and that may be let go
            photo.result, photo.asked = replace(result, image=None), asked
            photo.number += 1
        return photo.result

    # files

    def write_crop(self, photo_id: str, number: int, rank: int) -> Path:
        """Write a crop as a file into a folder of its own, which the caller removes.

        Args:
            photo_id: the photo.
            number: of the answer that the crop was seen in.
            rank: which crop, counted from 0.

        Raises:
            SessionEndedError: there is no such photo or crop, or the answer has changed.
            PhotoError: it cannot be written.
        """
        with self.lock:
            photo = self._open_photo(photo_id)
            if photo.result is None or photo.number != number or not 0 <= rank < len(photo.result.boxes):
                raise SessionEndedError("the crops have changed since; take the crop from the page again")
            result = photo.result
        return self._into_folder(
            lambda folder: write_crop_file(photo, result, rank, folder, self.limits.pixels).path
        )

    def write_archive(self) -> Path:
        """Write all crops of all photos as a ZIP into a folder of its own, which the caller removes.

        Raises:
            SessionEndedError: there are no photos.
        """
        with self.lock:
            photos = [photo for photo in self.photos.values() if photo.rejected is None]
            if self.closed or not photos:
                raise SessionEndedError(_GONE)
            answered = [(photo, self._answer(photo)) for photo in photos]

        def write(folder: Path) -> Path:
            write_archive(answered, folder / "crops.zip", self.limits.pixels)
            return folder / "crops.zip"

        return self._into_folder(write)

    def _into_folder(self, write: Callable[[Path], Path]) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="files-", dir=self.folder))
        try:
            return write(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _open_photo(self, photo_id: str) -> DemoPhoto:
        photo = self.photos.get(photo_id)
        if self.closed or photo is None or photo.path is None:
            raise SessionEndedError(_GONE)
        return photo

    # its end

    def close(self) -> None:
        """Let go of everything and remove the session's folder. Nothing can be added afterwards."""
        with self.lock:
            self.closed = True
            for photo in self.photos.values():
                self.cropper.forget(self._key(photo))
            self.photos, self.chosen, self.drawn = {}, None, None
            shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self) -> None:
        if self.closed:
            raise SessionEndedError(_GONE)
        self.message = ""

    def _key(self, photo: DemoPhoto) -> str:
        return f"{self.token}/{photo.id}"


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)


def _take(upload: Path, path: Path) -> None:
    try:
        os.link(upload, path)
    except FileNotFoundError:
        raise PhotoError(upload, "the upload is not here any more; drop the photo again") from None
    except OSError:  # another disk, or one without links
        shutil.copyfile(upload, path)
