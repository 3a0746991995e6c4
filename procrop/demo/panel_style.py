"""How the page looks. Colours of text and grounds are gradio's, so that they follow its light and dark theme."""

from procrop.visualization.explanation_style import DARK_PARTS
from procrop.visualization.palette import ALARM, GREY, PARTS

_RULES = """
.gradio-container { width: 100%; max-width: 1500px !important; margin: 0 auto !important }
#pc-head .html-container, #pc-drop .html-container, #pc-panel .html-container { padding: 0 }
#pc-head h1 { margin: 0; font-size: 26px } #pc-head p { margin: 0 }
.pc { display: grid; gap: 20px; font-size: 15px; line-height: 1.45 }
.pc p, .pc figure, .pc ul, .pc dl, .pc dd { margin: 0; padding: 0 }
.pc ul { list-style: none }
.pc section { display: grid; gap: 12px; min-width: 0 }
.pc img { display: block; max-width: 100%; height: auto; border-radius: 4px }
.pc-grey { color: var(--pc-grey); font-weight: normal; overflow-wrap: anywhere }
.pc-alarm { color: var(--pc-alarm); overflow-wrap: anywhere }
.pc-say { min-height: 1.45em; overflow-wrap: anywhere }
.pc-title { font-size: 18px; font-weight: 600; margin: 0; overflow-wrap: anywhere }
h3.pc-title { font-size: 15px; margin-top: 8px }
.pc-name { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 14px }
.pc .pc-empty { padding: 64px 16px; text-align: center; color: var(--pc-grey);
  border: 1px dashed var(--border-color-primary); border-radius: 8px }
.pc-credit { font-size: 13px; line-height: 1.3 }
.pc-row { display: flex; flex-wrap: wrap; gap: 8px }
.pc-button { display: inline-block; padding: 6px 14px; border: 1px solid var(--border-color-primary);
  border-radius: 6px; background: var(--button-secondary-background-fill); color: var(--body-text-color) !important;
  font: inherit; font-size: 14px; text-decoration: none !important; cursor: pointer }
.pc-button:hover { border-color: var(--color-accent) }
.pc-small { padding: 3px 9px }
.pc :focus-visible, .pc-drop :focus-visible { outline: 3px solid var(--color-accent); outline-offset: 2px }
.pc-button[aria-pressed=true] { background: #c2410c; border-color: #c2410c; color: white !important }
.pc-strip { display: flex; gap: 10px; overflow-x: auto; padding: 4px !important }
.pc-strip li { position: relative; flex: 0 0 auto; width: 140px }
.pc-thumb { display: grid; gap: 4px; width: 100%; padding: 4px; border: 2px solid transparent; border-radius: 8px;
  background: var(--background-fill-secondary); color: var(--body-text-color); cursor: pointer; text-align: left }
.pc-thumb img { width: 100%; height: 96px; object-fit: cover }
.pc-thumb[aria-pressed=true] { border-color: var(--color-accent) }
.pc-broken { padding: 8px 30px 8px 10px; width: 220px !important; border: 1px solid var(--pc-alarm);
  border-radius: 8px; font-size: 13px; max-height: 136px; overflow-y: auto }
.pc-remove { position: absolute; top: 8px; right: 8px; width: 26px; height: 26px; border: 0; border-radius: 13px;
  background: rgba(20, 20, 20, .72); color: white; font-size: 17px; line-height: 1; cursor: pointer }
.pc-answer { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 5fr); gap: 20px; align-items: start }
.pc-whole img { width: 100% }
.pc-crops { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)); gap: 20px 16px;
  align-items: start }
.pc-crops figcaption { display: grid; gap: 4px; margin-top: 8px; justify-items: start; font-size: 14px }
.pc-swatch { display: inline-block; width: 12px; height: 12px; margin-right: 7px }
.pc code { font-size: 13px; user-select: all; overflow-wrap: anywhere }
.pc-crops .pc-row { margin-top: 4px; gap: 6px }
.pc-refs { display: grid; grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); gap: 12px }
.pc-ref { display: grid; gap: 8px; align-content: start; padding: 10px; border: 1px solid var(--border-color-primary);
  border-radius: 8px; background: var(--background-fill-secondary); min-width: 0 }
.pc-ref img, .pc-gone { width: 100%; height: 112px; object-fit: contain }
.pc-gone { display: grid; place-items: center; color: var(--pc-grey); font-size: 13px }
.pc-pinned { border: 2px solid var(--color-accent); padding: 9px }
.pc-out img { opacity: .45 }
.pc-ref dt { font-size: 12px; color: var(--pc-grey) }
.pc-ref .bar { display: flex; align-items: center; gap: 8px }
.pc-ref .track { flex: 1; height: 10px; background: var(--border-color-primary); border-radius: 2px }
.pc-ref .fill { display: block; height: 100%; border-radius: 2px }
.pc-ref .value { flex: none; min-width: 3.6em; text-align: right; font-size: 13px; font-variant-numeric: tabular-nums }
.pc-ref .photo { background: var(--pc-photo) } .pc-ref .references { background: var(--pc-references) }
.pc-drop label { display: grid; gap: 4px; justify-items: center; padding: 26px 14px; text-align: center;
  cursor: pointer; border: 2px dashed var(--border-color-primary); border-radius: 8px;
  background: var(--background-fill-secondary); color: var(--body-text-color) }
.pc-drop label:hover, .pc-drop.pc-over label { border-color: var(--color-accent) }
.pc-drop label:focus-within { outline: 3px solid var(--color-accent); outline-offset: 2px }
.pc-drop b { font-size: 16px } .pc-drop small { font-size: 13px; color: var(--pc-grey) }
.pc-drop input { position: absolute; opacity: 0; width: 1px; height: 1px }
.pc-drop [role=status] { margin: 6px 0 0; font-size: 13px; min-height: 1.4em; overflow-wrap: anywhere;
  color: var(--pc-grey) }
@media (max-width: 1100px) { .pc-answer { grid-template-columns: minmax(0, 1fr) } }
@media (max-width: 680px) {
  .pc-side { flex-grow: 1 !important }
  .pc-crops { grid-template-columns: minmax(0, 1fr) }
  .pc-refs { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .pc-small { padding: 8px 12px } .pc-remove { width: 34px; height: 34px; border-radius: 17px }
}
"""


def page_style() -> str:
    """CSS of the page."""
    colours = dict(grey=GREY, alarm=ALARM, photo=PARTS["photo"], references=PARTS["references"])
    light = {name: "rgb({}, {}, {})".format(*colour) for name, colour in colours.items()}
    dark = dict(
        grey="#a9aeb4", alarm="#ff8a73", photo=DARK_PARTS["photo"], references=DARK_PARTS["references"]
    )
    return f":root {{ {_variables(light)} }}\n.dark {{ {_variables(dark)} }}{_RULES}"


def _variables(colours: dict[str, str]) -> str:
    return "; ".join(f"--pc-{name}: {colour}" for name, colour in colours.items())
