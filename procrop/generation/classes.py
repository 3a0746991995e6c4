"""The nine composition classes of Table 2, under the names used in files."""

COMPOSITION_CLASSES = (
    "rule_of_thirds",
    "vertical",
    "horizontal",
    "diagonal",
    "curved",
    "triangle",
    "centre",
    "symmetric",
    "pattern",
)
