"""Analysers: what a photo shows and what lies beyond its borders, as text."""

from .openai_analyzer import OpenAIAnalyzer

__all__ = ["OpenAIAnalyzer"]
