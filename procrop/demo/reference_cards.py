"""The references of a photo as cards with buttons to pin and to ban them."""

import html
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from procrop.demo.demo_session import DemoSession
from procrop.visualization.explanation import (
    ExplainedReference,
    explained_references,
    percent,
    share_scale,
    similarity_scale,
)
from procrop.visualization.html_page import picture_tag, safe_text
from procrop.visualization.reference_table import bar

if TYPE_CHECKING:
    from procrop.inference import CropResult


def reference_section(session: DemoSession, result: "CropResult") -> str:
    """The references that the crops were made after, and those that are banned.

    Args:
        session: knows what is pinned and banned.
        result: the crops of its chosen photo.
    """
    if not session.cropper.gallery_names:
        said = '<p class="pc-grey">This model works without references.</p>'
        return f'<section aria-label="References">{said}</section>'
    references = explained_references(result)
    choice = session.choice
    scales = _scales(references)
    cards = "".join(_card(session, each, each.name in choice.pinned, scales) for each in references)
    if not cards:
        cards = '<li class="pc-grey">No reference is left.</li>'
    head = f'<h2 class="pc-title">References{_where(session)}</h2>{_hint(session, scales)}'
    return (
        f'<section aria-label="References">{head}<ul class="pc-refs">{cards}</ul>{_banned(session)}</section>'
    )


def _where(session: DemoSession) -> str:
    if len(session.cropper.gallery_names) < 2:
        return ""
    return f' <span class="pc-grey">from {safe_text(session.options.gallery)}</span>'


def _hint(session: DemoSession, scales: tuple[tuple[float, float], float]) -> str:
    (low, high), share = scales
    words = "Pinned references are always taken, banned ones never, for all photos. "
    words += f"A full bar is a similarity of {high:g}"
    words += f", an empty one {low:.3g}" if low else ""
    why = session.cropper.why_no_attention
    if why is None:
        words += f", and {100 * share:g} % of the attention of crop 1."
    else:
        words += f". No share of attention is shown: {why}."
    return f'<p class="pc-grey">{safe_text(words)}</p>'


def _scales(references: list[ExplainedReference]) -> tuple[tuple[float, float], float]:
    shares = [float(each.shares[0]) for each in references if each.shares is not None]
    return similarity_scale([each.similarity for each in references]), share_scale(shares)


def _card(
    session: DemoSession,
    reference: ExplainedReference,
    pinned: bool,
    scales: tuple[tuple[float, float], float],
) -> str:
    (low, high), scale = scales
    name = safe_text(reference.name)
    near = bar((reference.similarity - low) / (high - low), f"{reference.similarity:.3f}", "photo")
    bars = f"<dt>similarity</dt><dd>{near}</dd>"
    if reference.shares is not None:
        share = float(reference.shares[0])
        bars += f"<dt>attention</dt><dd>{bar(share / scale, percent(share), 'references')}</dd>"
    said = safe_text(reference.credit)
    credit = f'<p class="pc-grey pc-credit">{said}</p>' if said else ""
    return (
        f'<li class="pc-ref{" pc-pinned" * pinned}" data-name="{name}">{_picture(session, reference.path, name)}'
        f'<p class="pc-name" title="{name}">{name}</p>{credit}<dl>{bars}</dl><p class="pc-row">'
        f"{_button('release' if pinned else 'pin', reference.name, 'Unpin' if pinned else 'Pin', pinned)}"
        f"{_button('ban', reference.name, 'Ban')}</p></li>"
    )


def _picture(session: DemoSession, path: str | None, name: str) -> str:
    pixels: np.ndarray | None = session.cropper.thumbnail(path)
    if pixels is None:
        return '<div class="pc-gone">its file is gone</div>'
    return picture_tag(Image.fromarray(pixels), f"reference {name}")


def _button(act: str, name: str, label: str, pressed: bool | None = None) -> str:
    state = "" if pressed is None else f'aria-pressed="{str(pressed).lower()}" '
    # the key stays when pin becomes unpin, so that the focus finds its way back
    key, value = "pin" if act == "release" else act, html.escape(name)
    return (
        f'<button type="button" class="pc-button pc-small" data-act="{act}" data-value="{value}" '
        f'data-key="{key} {value}" {state}aria-label="{label} {safe_text(name)}">{label}</button>'
    )


def _banned(session: DemoSession) -> str:
    banned = session.banned()
    cards = "".join(
        f'<li class="pc-ref pc-out" data-name="{safe_text(name)}">{_picture(session, path, safe_text(name))}'
        f'<p class="pc-name" title="{safe_text(name)}">{safe_text(name)}</p><p class="pc-row">'
        f"{_button('release', name, 'Allow again')}</p></li>"
        for name, path in banned
    )
    clear = ""
    if banned or session.choice.pinned:
        clear = (
            '<p class="pc-row"><button type="button" class="pc-button pc-small" data-act="release_all" '
            'data-key="release_all">Forget all pins and bans</button></p>'
        )
    listed = f'<h3 class="pc-title">Banned</h3><ul class="pc-refs">{cards}</ul>' if cards else ""
    return listed + clear
