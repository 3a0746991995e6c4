"""The page in gradio: controls at the side, the panel beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from procrop.demo.demo_session import DemoOptions, DemoSession
from procrop.demo.page_script import DROP_SCRIPT, PANEL_SCRIPT, drop_area
from procrop.demo.panel import draw_panel
from procrop.demo.session_store import SessionStore

FREE, OWN = "free", "own"
RATIOS = (FREE, "original", "1:1", "4:5", "3:2", "16:9", OWN)
_AT_ONCE = 4  # events of each kind; the model answers them one by one
_WAITING = 64  # events, after which the page says that it is busy
_LONGEST_REASON = 200  # characters, of what a browser says of a photo that it did not send


def build_page(store: SessionStore) -> gr.Blocks:
    """Build the page.

    Args:
        store: the sessions of its visitors.
    """
    cropper = store.cropper
    names = list(cropper.gallery_names)
    with gr.Blocks(title="ProCrop", analytics_enabled=False, fill_width=True) as page:
        gr.HTML("<h1>ProCrop</h1><p>Crops of your photos, made after references.</p>", elem_id="pc-head")
        with gr.Row():
            with gr.Column(scale=0, min_width=300, elem_classes="pc-side"):
                drop = gr.HTML(
                    drop_area(store.limits),
                    js_on_load=DROP_SCRIPT,
                    apply_default_css=False,
                    elem_id="pc-drop",
                )
                ratio = gr.Radio(list(RATIOS), value=FREE, label="Ratio (width : height)", elem_id="pc-ratio")
                own = gr.Textbox(
                    label="Own ratio, then Enter",
                    placeholder="1.91:1",
                    max_length=40,
                    visible=False,
                    elem_id="pc-own",
                )
                gallery = gr.Dropdown(
                    names,
                    value=names[0] if names else None,
                    label="Gallery of references",
                    visible=len(names) > 1,
                    filterable=False,
                    elem_id="pc-gallery",
                )
                top_k = gr.Slider(
                    1,
                    cropper.most_crops,
                    value=min(3, cropper.most_crops),
                    step=1,
                    label="Crops per photo",
                    elem_id="pc-count",
                )
            with gr.Column(scale=1, min_width=320):
                panel = gr.HTML(
                    '<div class="pc"><p class="pc-empty">The crops of your photos appear here.</p></div>',
                    js_on_load=PANEL_SCRIPT,
                    apply_default_css=False,
                    elem_id="pc-panel",
                )
        _connect(page, store, drop, (ratio, own, gallery, top_k), panel)
    # gradio keeps the last panel of each of so many visitors
    page.state_session_capacity = store.limits.sessions
    return page.queue(max_size=_WAITING, api_open=False, default_concurrency_limit=_AT_ONCE)


def _connect(page: gr.Blocks, store: SessionStore, drop: gr.HTML, controls: tuple, panel: gr.HTML) -> None:
    ratio, own, gallery, top_k = controls
    visit = _Visits(store)
    common = dict(inputs=list(controls), api_visibility="private", show_progress="minimal")
    drop.upload(visit.upload, outputs=panel, trigger_mode="multiple", **common)
    panel.click(visit.act, outputs=panel, trigger_mode="multiple", **common)
    ratio.input(visit.change_ratio, outputs=[own, panel], trigger_mode="always_last", **common)
    for listen in (own.submit, own.blur, gallery.input, top_k.input):
        listen(visit.change, outputs=panel, trigger_mode="always_last", **common)
    page.unload(visit.leave)


class _Visits:
    """What is done when something on the page happens; the controls come with every event."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def _session(self, request: gr.Request, *controls: Any) -> DemoSession:  # noqa: ANN401
        ratio, own, gallery, top_k = controls
        session = self._store.session(str(request.session_hash))
        before = session.options
        own = (own or "").strip() or before.ratio  # nothing may be written yet
        wanted = {FREE: None, OWN: own}.get(ratio, ratio)
        session.set_options(DemoOptions(wanted, int(top_k or before.top_k), gallery))
        return session

    def upload(
        self,
        ratio: str,
        own: str,
        gallery: str | None,
        top_k: float,
        event: gr.EventData,
        request: gr.Request,
    ) -> Iterator[str]:
        """Take photos in, one by one; the panel is drawn after each of them."""
        session = self._session(request, ratio, own, gallery, top_k)
        for file in list(event._data.get("files") or [])[: 2 * self._store.limits.photos]:
            name = str(file.get("name") or "photo")
            path = self._uploaded(file.get("path"))
            if path is None:
                session.refuse(name, str(file.get("refused") or "the upload failed")[:_LONGEST_REASON])
            else:
                session.add(path, name)
            yield draw_panel(session)

    def _uploaded(self, path: object) -> Path | None:
        """An uploaded file; None for a place outside of the uploads, which no honest browser names."""
        if not isinstance(path, str):
            return None
        try:
            place = Path(path).resolve()
            inside = place.is_relative_to(self._store.uploads) and place.is_file()
        except (OSError, ValueError):
            return None
        return place if inside else None

    def act(
        self,
        ratio: str,
        own: str,
        gallery: str | None,
        top_k: float,
        event: gr.EventData,
        request: gr.Request,
    ) -> str:
        """Do what a button of the panel says."""
        session = self._session(request, ratio, own, gallery, top_k)
        value = str(event._data.get("value") or "")
        acts = {
            "choose": session.choose,
            "remove": session.remove,
            "pin": session.pin,
            "ban": session.ban,
            "release": session.release,
            "release_all": lambda _: session.release_all(),
        }
        act = acts.get(event._data.get("act"))
        if act is not None:
            act(value)
        return draw_panel(session)

    def change(self, ratio: str, own: str, gallery: str | None, top_k: float, request: gr.Request) -> str:
        """Ask for what the controls say."""
        return draw_panel(self._session(request, ratio, own, gallery, top_k))

    def change_ratio(
        self, ratio: str, own: str, gallery: str | None, top_k: float, request: gr.Request
    ) -> tuple[dict, str]:
        """The same, and show the field for an own ratio where it is wanted."""
        return gr.update(visible=ratio == OWN), self.change(ratio, own, gallery, top_k, request)

    def leave(self, request: gr.Request) -> None:
        """Note that the page was closed."""
        self._store.leave(str(request.session_hash))
