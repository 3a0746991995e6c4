"""What a session looks like: its photos, the crops of one of them, and their references, as HTML."""

from typing import TYPE_CHECKING

from PIL import Image

from procrop.demo.demo_photo import DemoPhoto
from procrop.demo.demo_session import DemoSession
from procrop.demo.reference_cards import reference_section
from procrop.visualization import cut_crop, draw_overlay, rank_colour
from procrop.visualization.crop_overlay import scale_to_fit
from procrop.visualization.explanation import attention_parts, crop_words, percent
from procrop.visualization.html_page import picture_tag, safe_text

if TYPE_CHECKING:
    import numpy as np

    from procrop.inference import CropResult

_PHOTO, _CROP = (900, 640), (640, 640)  # pixels; a smaller picture is shown as it is


def draw_panel(session: DemoSession) -> str:
    """The session as HTML, without scripts; what is to be clicked says so in ``data-act`` and ``data-value``."""
    with session.lock:
        result = session.view()
        parts = [_status(session, result)]
        if session.photos:
            parts.append(_strip(session))
        if result is not None:
            parts.append(_kept_photo_section(session, result))
        if result is not None and result.rejected is None:
            parts.append(reference_section(session, result))
        if not session.photos:
            parts.append('<p class="pc-empty">The crops of your photos appear here.</p>')
    return f'<div class="pc">{"".join(parts)}</div>'


def _status(session: DemoSession, result: "CropResult | None") -> str:
    if session.message:
        return f'<p class="pc-say pc-alarm" role="alert">{safe_text(session.message)}</p>'
    if result is None or result.rejected is not None:
        return '<p class="pc-say" role="status"></p>'
    count, name = len(result.boxes), session.photos[session.chosen].name
    words = f"{count} crop{'s' * (count != 1)} of {name}, the best one scores {result.scores[0]:.3f}"
    return f'<p class="pc-say" role="status">{safe_text(words)}</p>'


def _strip(session: DemoSession) -> str:
    """All photos in a row."""
    items = "".join(_strip_item(photo, photo.id == session.chosen) for photo in session.photos.values())
    good = sum(photo.rejected is None for photo in session.photos.values())
    archive = ""
    if good:
        archive = (
            f'<a class="pc-button" href="crops/{session.token}/all.zip" download="crops.zip" data-key="zip">'
            f"Download all crops of {good} photo{'s' * (good != 1)} (ZIP)</a>"
        )
    return (
        f'<section aria-label="Photos"><ul class="pc-strip">{items}</ul>'
        f'<p class="pc-row">{archive}</p></section>'
    )


def _strip_item(photo: DemoPhoto, chosen: bool) -> str:
    name = safe_text(photo.name)
    remove = (
        f'<button type="button" class="pc-remove" data-act="remove" data-value="{photo.id}" '
        f'data-key="remove {photo.id}" aria-label="Remove {name}" title="Remove">×</button>'
    )
    if photo.rejected is not None:
        reason = safe_text(photo.rejected)
        return (
            f'<li class="pc-broken"><p class="pc-name">{name}</p><p class="pc-alarm">not cropped: {reason}</p>'
            f"{remove}</li>"
        )
    picture = picture_tag(photo.thumbnail, "")
    return (
        f'<li><button type="button" class="pc-thumb" data-act="choose" data-value="{photo.id}" '
        f'data-key="choose {photo.id}" aria-pressed="{str(chosen).lower()}" aria-label="Show {name}" title="{name}">'
        f'{picture}<span class="pc-name">{name}</span></button>{remove}</li>'
    )


def _kept_photo_section(session: DemoSession, result: "CropResult") -> str:
    """The section of the photo, drawn once for each answer: scaling a large photo takes longer than an answer."""
    key = (session.chosen, session.photos[session.chosen].number)
    if session.drawn is None or session.drawn[0] != key:
        session.drawn = key, _photo_section(session, result)
    return session.drawn[1]


def _photo_section(session: DemoSession, result: "CropResult") -> str:
    photo = session.photos[session.chosen]
    name, (width, height) = safe_text(photo.name), photo.size
    head = f'<h2 class="pc-title">{name} <span class="pc-grey">{width} × {height}</span></h2>'
    if result.rejected is not None:
        reason = safe_text(result.rejected)
        head += f'<p class="pc-alarm" role="alert">No crop of this photo: {reason}</p>'
    if result.caption is not None:
        source = safe_text(result.caption_source or "")
        head += f'<p class="pc-grey">Caption ({source}): {safe_text(result.caption)}</p>'
    head += "".join(f'<p class="pc-grey">{safe_text(note)}</p>' for note in result.notes)
    drawn = draw_overlay(
        result.image, result.boxes, result.scores, result.focal_points, _room(result.image, _PHOTO)
    )
    whole = picture_tag(drawn, f"{name} with the frames of its crops")
    crops = "".join(_crop_figure(session, photo, result, rank) for rank in range(len(result.boxes)))
    return (
        f'<section aria-label="Crops">{head}<div class="pc-answer"><figure class="pc-whole">{whole}</figure>'
        f'<div class="pc-crops">{crops}</div></div></section>'
    )


def _room(picture: "np.ndarray", room: tuple[int, int]) -> tuple[int, int]:
    return min(room[0], picture.shape[1]), min(room[1], picture.shape[0])


def _crop_figure(session: DemoSession, photo: DemoPhoto, result: "CropResult", rank: int) -> str:
    crop = cut_crop(result.image, result.boxes[rank])
    picture = Image.fromarray(crop)
    if _room(crop, _CROP) != picture.size:
        picture = scale_to_fit(crop, _room(crop, _CROP))
    size, place = crop_words(result.boxes[rank])
    name, colour = safe_text(photo.name), "rgb({}, {}, {})".format(*rank_colour(rank))
    image = picture_tag(picture, f"crop {rank + 1} of {name}", more=f'class="pc-crop" data-rank="{rank}" ')
    address = f"crops/{session.token}/{photo.id}/{photo.number}/{rank}"
    parts = attention_parts(result, rank)
    looked = ", ".join(f"{percent(part.share)} on {part.label}" for part in parts)
    attention = f'<p class="pc-grey">attention: {looked}</p>' if looked and len(parts) > 1 else ""
    css = _focal_point(result, rank)
    copy = (
        f'<button type="button" class="pc-button pc-small" data-act="copy" data-value="{css};" data-key="copy {rank}" '
        f'aria-label="Copy the focal point of crop {rank + 1} for CSS">Copy CSS</button>'
    )
    return (
        f'<figure>{image}<figcaption><p><span class="pc-swatch" style="background: {colour}"></span>'
        f"<b>Crop {rank + 1}</b>, score <b>{result.scores[rank]:.3f}</b></p>"
        f'<p class="pc-grey">{size} pixels at {place}</p>{attention}<code>{css}</code>'
        f'<p class="pc-row"><a class="pc-button pc-small" href="{address}" download data-key="get {rank}" '
        f'aria-label="Download crop {rank + 1} of {name}">Download</a>{copy}</p></figcaption></figure>'
    )


def _focal_point(result: "CropResult", rank: int) -> str:
    """The focal point as it is pasted into a style sheet."""
    x, y = result.to_dict()["crops"][rank]["focal_point"]
    return f"object-position: {x:g}% {y:g}%"
