"""The Markdown report beside a distilled key encoder."""

from pathlib import Path

from procrop.io.atomic import write_text

from .distill import Distillation

_WHAT = {
    "random": "photos drawn at random",
    "linear": "linear map from pooled ImageNet features (ridge)",
    "start": "the student before training: linear map from its own features (ridge)",
    "student": "the student, as it was kept",
}
_SHOWN = 20


def write_report(found: Distillation, gallery: str, command: str, threads: int) -> Path:
    """Write the report beside the file, as ``<file>.md``; its path."""
    path = found.out.with_name(f"{found.out.name}.md")
    write_text(path, report_text(found, gallery, command, threads))
    return path


def report_text(found: Distillation, gallery: str, command: str, threads: int) -> str:
    """The report: what was asked, what was learned, how fast it is."""
    counts = found.counts
    columns = list(found.recalls["student"])
    lines = [
        f"# {found.out.name}",
        "",
        f"Keys of {found.training['encoder']} for the gallery `{gallery}`, by a small network.",
        "",
        f"    {command}",
        "",
        f"Learned from {counts['gallery'] + counts['further'] - counts['held out']} photos ({counts['gallery']} of the "
        f"gallery and {counts['further']} further ones, less {counts['held out']} held out).",
        "",
        "Share of the teacher's nearest gallery photos among the nearest of each searcher, mean over the held-out "
        "photos; photos of the query's own source do not count.",
        "",
        f"| searcher | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
        *(
            f"| {_WHAT[name]} | " + " | ".join(f"{figures[c]:.3f}" for c in columns) + " |"
            for name, figures in found.recalls.items()
        ),
        "",
    ]
    if found.training["kept"] == "start" and found.training["settings"]["epochs"]:
        lines += [
            "Training did not raise the recall on photos that it had not seen (others than the held-out ones), so the "
            "student was kept as it was before training.",
            "",
        ]
    if found.speed is not None:
        s = found.speed
        lines += [
            f"Speed, photo by photo with the resizing, {threads} thread(s), median of {s.photos} interleaved pairs: "
            f"teacher {s.teacher:.2f} photos/s, student {s.student:.2f} photos/s, ratio {s.ratio:.1f}.",
            "",
        ]
    lines += ["Settings: " + ", ".join(f"{k} {v}" for k, v in found.training["settings"].items()) + ".", ""]
    if found.rejected:
        lines += [f"{len(found.rejected)} photos could not be used:", ""]
        lines += [f"- {_printable(path)}: {reason}" for path, reason in found.rejected[:_SHOWN]]
        lines += ["- ..."] * (len(found.rejected) > _SHOWN) + [""]
    return "\n".join(lines)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\n", "?")
