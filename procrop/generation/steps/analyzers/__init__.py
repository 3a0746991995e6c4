"""Analysers: what a photo shows and what lies beyond its borders, as text."""

from .blip_analyzer import BLIPAnalyzer
from .openai_analyzer import OpenAIAnalyzer
from .rule_analyzer import RuleAnalyzer

__all__ = ["BLIPAnalyzer", "OpenAIAnalyzer", "RuleAnalyzer"]
