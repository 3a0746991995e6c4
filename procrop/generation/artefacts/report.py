"""The Markdown report beside a trained artefact classifier."""

from collections.abc import Sequence
from pathlib import Path

from .figures import ClassFigures
from .settings import ArtefactSettings

_DEFAULT = 0.5
_SHOWN = 20


def report_text(
    name: str,
    settings: ArtefactSettings,
    counts: dict[str, int],
    table: Sequence[ClassFigures],
    rejected: Sequence[tuple[Path, str]],
) -> str:
    """The report: what was learned from, and what each threshold does to held-out photos.

    Args:
        name: Name of the weight file.
        settings: Of the training.
        counts: See `ArtefactTraining.counts`.
        table: A row for each threshold.
        rejected: Photos that could not be read.
    """
    row = next(row for row in table if row.threshold == _DEFAULT)
    lines = [
        f"# {name}",
        "",
        f"Artefact classifier ({settings.arch}). Learned from {counts['training good']} good and "
        f"{counts['training bad']} bad photos, measured on {counts['held-out good']} good and "
        f"{counts['held-out bad']} bad ones of other sources.",
        "",
        f"At the threshold {_DEFAULT}:",
        "",
        "| class | precision | recall |",
        "|---|---|---|",
        f"| good | {row.good_precision:.3f} | {row.good_recall:.3f} |",
        f"| bad | {row.bad_precision:.3f} | {row.bad_recall:.3f} |",
        "",
        "A photo whose P(bad) lies above the threshold is dropped:",
        "",
        "| threshold | bad dropped | good kept | bad among the dropped | good among the kept | kept of all |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r.threshold} | {r.bad_recall:.3f} | {r.good_recall:.3f} | {r.bad_precision:.3f} | "
            f"{r.good_precision:.3f} | {r.kept:.3f} |"
            for r in table
        ),
        "",
        "The share of bad photos here need not be that of your outpainter, and precision depends on it; recall does "
        "not.",
        "",
        "Settings: " + ", ".join(f"{k} {v}" for k, v in settings.to_dict().items()) + ".",
        "",
    ]
    if rejected:
        lines += [f"{len(rejected)} photos could not be read:", ""]
        lines += [f"- {_printable(str(path))}: {reason}" for path, reason in rejected[:_SHOWN]]
        lines += ["- ..."] * (len(rejected) > _SHOWN) + [""]
    return "\n".join(lines)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\n", "?")
