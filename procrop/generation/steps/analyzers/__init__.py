"""Analysers: what a photo shows and what lies beyond its borders, as text."""

from .openai_analyzer import OpenAIAnalyzer
from .rule_analyzer import RuleAnalyzer

__all__ = ["OpenAIAnalyzer", "RuleAnalyzer"]
