"""A cache of its own for each test, no proxy, no mirror, and no waiting between tries."""

import pytest

from procrop.model_zoo import transfer


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("PROCROP_MODEL_MIRROR", "PROCROP_METAFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROCROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "_PAUSES", (0.0, 0.0, 0.0))
    return tmp_path / "cache"
