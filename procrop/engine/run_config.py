"""The config of a run, whose text is made once."""

from mmengine.config import Config


class RunConfig(Config):
    """A Config that remembers its text while its settings stay the same.

    Formatting takes most of a second, and mmengine asks for the text whenever it writes a checkpoint, several times.
    """

    _texts: dict[str, str] = {}  # settings -> their text: the last ones only

    @classmethod
    def of(cls, cfg: Config | dict) -> "RunConfig":
        """The same settings as a RunConfig."""
        if not isinstance(cfg, Config):
            return cls(cfg)
        return cls(cfg._cfg_dict, cfg_text=cfg.text, filename=cfg.filename, env_variables=cfg.env_variables)

    @property
    def pretty_text(self) -> str:
        """The settings as Python text; mmengine's."""
        settings = repr(self.to_dict())
        if settings not in RunConfig._texts:
            text = super().pretty_text
            RunConfig._texts.clear()
            RunConfig._texts[settings] = text
        return RunConfig._texts[settings]
