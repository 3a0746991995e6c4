"""BLIP's networks with their tokenizer: out of a folder or a hub name, or with random weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from procrop.networks.hub_files import published_file, read_model_description
from procrop.networks.weights import load_strict, read_state

from .tokenizers import character_bert_tokenizer, load_bert_tokenizer

if TYPE_CHECKING:
    from transformers import BertTokenizer, BlipConfig

# what each of BLIP's networks is for, and where a published one is
HEADS = {
    "BlipForConditionalGeneration": ("captions", "Salesforce/blip-image-captioning-base"),
    "BlipForImageTextRetrieval": ("image-text matching", "Salesforce/blip-itm-base-coco"),
}
_NO_SAFETENSORS = (
    "a pytorch_model.bin is not read: convert it once with transformers, "
    "{head}.from_pretrained(...).save_pretrained(folder)"
)
# the image network of the published BLIPs starts at 1e-10, which makes all photos one
_RANDOM_VISION = {"initializer_range": 0.02}
_RANDOM_TEXT = {"num_attention_heads": 12}


@dataclass(frozen=True)
class BlipParts:
    """One of BLIP's networks, not yet loaded.

    Attributes:
        config: Its sizes.
        tokenizer: Its tokenizer.
        build: Makes the network, float32 on the CPU, with its weights.
        source: Where it comes from, for messages.
    """

    config: "BlipConfig"
    tokenizer: "BertTokenizer"
    build: Callable[[], nn.Module]
    source: str

    @property
    def image_size(self) -> int:
        """Side in pixels of the square that the network sees."""
        return self.config.vision_config.image_size

    @property
    def start_ids(self) -> dict[str, int]:
        """Ids of the tokens that a text begins with: alone, to be encoded with a photo, to be decoded from one.

        BLIP appends the latter two to BERT's vocabulary; the published tokenizers know nothing of it.
        """
        decode = self.config.text_config.bos_token_id
        return {"[CLS]": self.tokenizer.cls_token_id, "[ENC]": decode + 1, "[DEC]": decode}


def find_blip(head: str, model: str, revision: str | None, local_files_only: bool) -> BlipParts:
    """Look up a published BLIP; its weights are read by ``build``.

    Args:
        head: Name of its class, one of `HEADS`.
        model: Folder with ``config.json``, ``model.safetensors`` and a tokenizer, or a hub name.
        revision: Commit of the hub repository.
        local_files_only: Take hub files from the local cache and never from the network.

    Raises:
        FileNotFoundError: Files are missing, with the command that fetches them.
        ValueError: The model is another one, or its tokenizer does not fit; ``build``: so do its weights.
    """
    from os.path import isdir

    if revision is not None and isdir(model):
        raise ValueError(f"{model}: a folder has no revision {revision!r}; leave it out")
    kind = f"a {head}"
    published = HEADS[head][1]
    described = published_file(model, ("config.json",), revision, local_files_only, kind, published=published)
    config = _read_config(described, head)
    hint = _NO_SAFETENSORS.format(head=head)
    weights = published_file(model, ("model.safetensors",), revision, local_files_only, kind, hint)
    tokenizer = load_bert_tokenizer(model, revision, local_files_only)
    parts = BlipParts(config, tokenizer, lambda: _load(head, config, weights), model)
    _check_tokenizer(parts)
    return parts


def random_blip(head: str, config: dict | None, seed: int, words: Sequence[str] = ()) -> BlipParts:
    """A BLIP with random weights and a tokenizer of characters and ``words``.

    Args:
        head: Name of its class, one of `HEADS`.
        config: ``BlipConfig`` fields, e.g. ``dict(text_config=dict(hidden_size=32, ...), vision_config=...)``;
            what is left out is as in BLIP base. The sizes of the vocabulary follow from the tokenizer.
        seed: Seed of the weights; the same image network for both heads.
        words: See `character_bert_tokenizer`.
    """
    from transformers import BlipConfig

    config, tokenizer = dict(config or {}), character_bert_tokenizer(words)
    ids = {
        "vocab_size": len(tokenizer) + 2,
        "bos_token_id": len(tokenizer),
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    text = {**_RANDOM_TEXT, **config.pop("text_config", {}), **ids}
    vision = {**_RANDOM_VISION, **config.pop("vision_config", {})}
    built = _built(lambda: BlipConfig(text_config=text, vision_config=vision, **config), "config")

    def build() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _network(head, built)

    return BlipParts(built, tokenizer, build, "random weights")


def _read_config(path: str, head: str) -> "BlipConfig":
    """The sizes in a ``config.json``, after a look at what the model is."""
    from transformers import BlipConfig

    raw = read_model_description(path)
    held = (raw.get("architectures") or [None])[0]
    if raw.get("model_type") != "blip" or held not in (None, head):
        purpose, example = HEADS[head]
        raise ValueError(
            f"{path}: describes a model of type {raw.get('model_type')!r} ({held}); for {purpose} a {head} is "
            f"needed, such as {example}"
        )
    for part in ("text_config", "vision_config"):
        if not isinstance(raw.get(part), dict):
            raise ValueError(f"{path}: has no {part}; fetch it again")
    config = _built(lambda: BlipConfig.from_dict(raw), path)
    text = config.text_config
    # 8 is what transformers fills in, and what the hub's files said for some months
    if (text.hidden_size, text.num_attention_heads) == (768, 8):
        raise ValueError(
            f"{path}: 8 attention heads for text of width 768, but BLIP has 12: the file is an old one. Take a newer "
            "revision, or write num_attention_heads = 12 under text_config"
        )
    return config


def _built(make: Callable[[], "BlipConfig"], source: str) -> "BlipConfig":
    try:
        config = make()
    except Exception as error:
        raise ValueError(f"{source}: not the sizes of a BLIP ({error})") from error
    if not isinstance(config.vision_config.image_size, int):
        raise ValueError(
            f"{source}: image_size {config.vision_config.image_size} is not one side of a square"
        )
    return config


def _network(head: str, config: "BlipConfig") -> nn.Module:
    import transformers

    return getattr(transformers, head)(config).float()


def _load(head: str, config: "BlipConfig", path: str) -> nn.Module:
    network = _network(head, config)
    # weights that stand under two names are stored under one, or under both
    once = {name for name, _ in network.named_parameters()}
    twice = {name for name, _ in network.named_parameters(remove_duplicate=False)} - once
    state = {k: v for k, v in read_state(path).items() if k not in twice and not k.endswith("position_ids")}
    purpose, example = HEADS[head]
    remedy = f"for {purpose} give the files of a {head}, such as {example}"
    load_strict(network, state, path, f"a {head} of these sizes", remedy, optional=twice)
    return network


def _check_tokenizer(parts: BlipParts) -> None:
    text, tokenizer = parts.config.text_config, parts.tokenizer
    known, room = len(tokenizer), text.vocab_size
    wanted = {"sep_token_id": text.sep_token_id, "pad_token_id": text.pad_token_id}
    found = {name: getattr(tokenizer, name) for name in wanted}
    starts = parts.start_ids
    if known > room or found != wanted or max(starts.values()) >= room:
        raise ValueError(
            f"{parts.source}: the tokenizer ({known} tokens, {found}) does not fit the network ({room} tokens, "
            f"{wanted}, [DEC] = {starts['[DEC]']}); take both from the same model"
        )
