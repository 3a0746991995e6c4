"""Losses of this project's own."""

from .sub_window_ranking_loss import SubWindowRankingLoss

__all__ = ["SubWindowRankingLoss"]
