"""The card of a generated dataset: what is in it, where it comes from, how it was made, what it is not good for."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chain import StepChain
    from .item_maker import ItemMaker
    from .output import DatasetCounts
    from .settings import GenerationSettings
    from .source_photos import SourcePhoto

# a number by itself, not the digits of a name such as gpt-4o-2024-08-06
_NUMBER = re.compile(r"(?<!\w)(?<!\w[-.])\d+(\.\d+)?(?!\w)(?!-\w)")
_UNKNOWN = "not stated"
# of a component's settings: where it runs says nothing of what it makes
_NOT_SHOWN = ("type", "device")
_COLUMNS = ("source_id", "photo", "title", "author", "licence", "url")


def card_text(maker: "ItemMaker", counts: "DatasetCounts") -> str:
    """The card as Markdown."""
    settings, chain = maker.settings, maker.chain
    heading = ["# Data card", ""]
    if chain.stand_ins:
        names = " and ".join(f"`{name}`" for name in chain.stand_ins)
        heading += [
            f"**Made with stand-ins: {names}.** They stand in for generative models during development. What they "
            "paint is no photograph; figures of models trained on it say little about models trained on a real set.",
            "",
        ]
    parts = [
        heading,
        _contents(settings, counts),
        _sources(settings.sources, counts),
        _steps(settings.steps, chain),
        _rejections(counts.rejected),
        _limits(chain.stand_ins, counts),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def attribution_table(photos: "Iterable[SourcePhoto]") -> str:
    """Tab-separated: whose each source photo is, with a line of names on top; unknown is empty."""
    lines = ["\t".join(_COLUMNS)]
    for photo in photos:
        values = [photo.source_id, photo.name, *(getattr(photo.credit, key) for key in _COLUMNS[2:])]
        lines.append("\t".join(" ".join((value or "").split()) for value in values))
    return "\n".join(lines) + "\n"


def without_numbers(reason: str) -> str:
    """A reason with its numbers as #, so that equal ones can be counted."""
    return _NUMBER.sub("#", reason)


def counted_reasons(rejected: Iterable[Mapping[str, str]]) -> list[tuple[str, str, int]]:
    """(step, reason without numbers, how many), most frequent first."""
    counts = Counter((entry["step"], without_numbers(entry["reason"])) for entry in rejected)
    return [(*key, n) for key, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table as lines of Markdown; numbers with thousands separated."""

    def line(values: Sequence[object]) -> str:
        cells = (f"{v:,}" if isinstance(v, int) else str(v).replace("|", "\\|") for v in values)
        return f"| {' | '.join(cells)} |"

    return [line(names), line(["---"] * len(names)), *map(line, rows)]


def _contents(settings: "GenerationSettings", counts: "DatasetCounts") -> list[str]:
    by_class = sorted(counts.compositions.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        f"{counts.items:,} photos, each a professional photo with something painted around it. The label of each is "
        f"the area of the original photo, with score 5. They are made from {counts.photos:,} source photos, up to "
        f"{settings.expansions} from each (seed {settings.seed}). All photos of one source are in one split.",
        "",
        *markdown_table(
            ("split", "source photos", "photos"),
            ((name, *counts.splits[name]) for name in ("train", "val", "test") if name in counts.splits),
        ),
        "",
        "| file | what it holds |",
        "| --- | --- |",
        f"| `images/` | the photos, JPEG of quality {settings.quality}, colours 4:4:4, encoded once |",
        "| `annotations.jsonl` | a line a photo: known area, split, class, initial crops, provenance (`CADDataset`) |",
        "| `analyses.jsonl` | composition of each source photo as text |",
        "| `rejected.jsonl` | what was left out, and why |",
        "| `attribution.tsv` | title, author and licence of each source photo |",
        "| `manifest.json` | SHA-256 of every file, full fingerprints of the steps |",
        "",
        *markdown_table(
            ("composition of the source photo", "photos"), ((k or _UNKNOWN, n) for k, n in by_class)
        ),
        "",
    ]


def _sources(sources: Sequence[Mapping[str, Any]], counts: "DatasetCounts") -> list[str]:
    licences = sorted(counts.licences.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        "## Sources and licences",
        "",
        *(f"- {_described(source)}" for source in sources),
        "",
        *markdown_table(("licence", "source photos"), ((name or _UNKNOWN, n) for name, n in licences)),
        "",
        "Each photo here is derived from its source photo and stays under its licence, whose terms also hold for what "
        "you pass on. `attribution.tsv` has what an attribution needs; say, too, that the photo was scaled down and "
        "painted around."
        + (
            " Where no licence is stated, none is known: ask before you publish."
            if None in counts.licences
            else ""
        ),
        "",
    ]


def _steps(steps: Sequence[Mapping[str, Any]], chain: "StepChain") -> list[str]:
    rows = [
        (name, _arguments(step) or "–", f"`{chain.fingerprints[name][:16]}`")
        for name, step in zip(chain.names, steps, strict=True)
    ]
    return ["## Steps", "", *markdown_table(("step", "settings", "fingerprint"), rows), ""]


def _rejections(rejected: Sequence[Mapping[str, str]]) -> list[str]:
    lines = ["## Left out", ""]
    if not rejected:
        return [*lines, "Nothing.", ""]
    return [*lines, *markdown_table(("step", "reason", "times"), counted_reasons(rejected)), ""]


def _limits(stand_ins: Sequence[str], counts: "DatasetCounts") -> list[str]:
    lines = [
        "## Known limits",
        "",
        "- The label is one photographer's frame, and often a format that a screen or a magazine asked for. Other "
        "crops of the same photo may be as good; the set does not say.",
        "- The label ends where painting begins. A network may learn that border: train with decoy seams, and measure "
        "with the seam probe (docs/generation.md).",
        "- Nobody has looked at each photo. Look at the sheets (`tools/cad.py show`).",
        "- Composition classes are a program's opinion.",
    ]
    if stand_ins:
        lines.append("- What was painted by a stand-in shows no objects and no scene.")
    if None in counts.licences:
        lines.append("- Some licences are unknown.")
    return lines


def _described(config: Mapping[str, Any]) -> str:
    text = _arguments(config)
    return f"`{config['type']}`" + (f" with {text}" if text else "")


def _arguments(config: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}={value!r}`" for key, value in config.items() if key not in _NOT_SHOWN)
