"""Composition classes: which of the nine of Table 2 a source photo belongs to."""

from .learned_composition import LearnedComposition
from .rule_composition import RuleComposition

__all__ = ["LearnedComposition", "RuleComposition"]
