"""How crops are scored: pure formulas in ``functional``, metrics of a test run in ``metrics``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["functional", "metrics"])
