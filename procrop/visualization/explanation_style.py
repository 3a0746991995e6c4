"""How the report on explanations looks: light and dark, wide and narrow, without scripts."""

from procrop.visualization.palette import ABSENT, GREY, INK, LINE, PAPER, PARTS

# of the dark page: the same roles; colours of parts are lighter, so that they stand out from the ground as well
_DARK = {"paper": "#17181a", "ink": "#ececea", "grey": "#a3a8ad", "line": "#3a3c3f", "absent": "#2b2d30"}
DARK_PARTS = {"references": "#ff7a5c", "photo": "#5fa8ec", "text": "#3fc79b", "null": "#8c8f93"}


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _variables(colours: dict[str, str], parts: dict[str, str]) -> str:
    pairs = colours | {f"part-{key}": colour for key, colour in parts.items()}
    return "; ".join(f"--{name}: {colour}" for name, colour in pairs.items())


_LIGHT = {"paper": PAPER, "ink": INK, "grey": GREY, "line": LINE, "absent": ABSENT}
_RULES = """
* { box-sizing: border-box }
html { scroll-padding-top: 12px }
body { margin: 0 auto; padding: 0 24px 64px; max-width: 1280px; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 24px; margin: 28px 0 4px }
h2 { font-size: 19px; margin: 0; overflow-wrap: anywhere }
h3 { font-size: 15px; margin: 20px 0 6px }
a { color: inherit; text-underline-offset: 3px }
:focus-visible { outline: 3px solid var(--part-photo); outline-offset: 2px }
.grey, caption, th { color: var(--grey); font-weight: normal }
.alarm { color: var(--part-references) }
p { margin: 4px 0; max-width: 80ch; overflow-wrap: anywhere }
nav { margin: 20px 0; padding: 12px 16px; border: 1px solid var(--line); border-radius: 6px }
nav ol { columns: 240px; margin: 8px 0 0; padding-left: 34px; overflow-wrap: anywhere }
nav li { break-inside: avoid; padding-right: 8px }
summary { cursor: pointer }
article { border-top: 1px solid var(--line); padding: 22px 0 34px }
.head { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline }
.head .up { margin-left: auto }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 220px), 1fr)); gap: 22px;
  margin-top: 14px; align-items: start }
.pictures .whole { grid-column: span 2 }
figure { margin: 0; min-width: 0 }
img { display: block; max-width: 100%; height: auto; background: var(--absent) }
figcaption { margin-top: 6px }
.place { display: block }
.rank { display: inline-block; width: 13px; height: 13px; margin-right: 7px; vertical-align: -1px }
.stack { display: flex; height: 14px; margin: 8px 0 4px; background: var(--absent) }
.parts { list-style: none; margin: 0; padding: 0 }
.parts li { display: flex; gap: 8px; align-items: baseline }
.parts .share { margin-left: auto; flex: none; white-space: nowrap; font-variant-numeric: tabular-nums;
  font-weight: 600 }
.swatch { flex: none; width: 12px; height: 12px; align-self: center }
.references { background: var(--part-references) } .photo { background: var(--part-photo) }
.text { background: var(--part-text) } .null { background: var(--part-null) }
table { border-collapse: collapse; width: 100%; margin-top: 20px }
caption { text-align: left; padding-bottom: 4px }
th, td { text-align: left; padding: 8px 14px 8px 0; vertical-align: middle }
th[scope=row] { color: var(--ink); font-weight: 600; overflow-wrap: anywhere; width: 24% }
tbody tr { border-top: 1px solid var(--line) }
.thumb { width: 134px } .gone { display: grid; place-items: center; width: 120px; height: 80px; font-size: 13px;
  background: var(--absent); color: var(--grey) }
.bar { display: flex; align-items: center; gap: 10px }
.track { flex: 1 1 60px; min-width: 40px; max-width: 220px; height: 14px; background: var(--absent) }
.fill { display: block; height: 100% }
.value { flex: none; white-space: nowrap; min-width: 4.2em; font-variant-numeric: tabular-nums }
.times { display: block; color: var(--grey); font-weight: normal }
.skip { position: absolute; left: -9999px } .skip:focus { left: 24px; top: 8px; background: var(--paper) }
@media (max-width: 760px) {
  body { padding: 0 14px 48px }
  .pictures .whole { grid-column: auto }
  table, caption, tbody, tr, td, th[scope=row] { display: block; width: auto }
  thead { position: absolute; left: -9999px }
  tr { display: grid; grid-template-columns: 108px minmax(0, 1fr); column-gap: 14px; padding: 10px 0 }
  td, th { padding: 2px 0 } .thumb { grid-row: span 8; width: 108px } .gone { width: 108px; height: 72px }
  td[data-label]::before { content: attr(data-label); display: block; color: var(--grey); font-size: 13px }
}
@media print { nav, .up { display: none } article { break-inside: avoid } }
"""


def style_sheet() -> str:
    """CSS of the report."""
    light = _variables(
        {name: _hex(colour) for name, colour in _LIGHT.items()},
        {name: _hex(colour) for name, colour in PARTS.items()},
    )
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK, DARK_PARTS)} }} }}"
    return f":root {{ color-scheme: light dark; {light} }}\n{dark}{_RULES}"
