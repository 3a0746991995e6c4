"""Asking a vision-language model behind an OpenAI-compatible endpoint; nothing here knows of photos' pipelines."""

from .answer_cache import AnswerCache
from .endpoint import ChatEndpoint, CostLimitReached, EndpointError, Reply, Usage

__all__ = ["AnswerCache", "ChatEndpoint", "CostLimitReached", "EndpointError", "Reply", "Usage"]
