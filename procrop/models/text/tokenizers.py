"""Tokenizers of captions: read from a model's files, or made of characters for networks without weights."""

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

from procrop.io.manifest import sha256_json
from procrop.networks.hub_files import published_file

if TYPE_CHECKING:
    from transformers import BertTokenizer, CLIPTokenizer, PreTrainedTokenizerFast

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# case, accents, punctuation, numbers, another script: what tokenizers of one vocabulary still split differently
_PROBE = "A Café's dog-house, 2 m LEFT of the naïve photographer’s [SEP] 木 e\u0301\u00a0end_x."


def load_bert_tokenizer(model: str, revision: str | None, local_files_only: bool) -> "BertTokenizer":
    """BLIP's tokenizer, BERT's WordPiece, out of a folder or of a hub name.

    Raises:
        FileNotFoundError: Neither ``tokenizer.json`` nor ``vocab.txt`` is there.
        ValueError: They cannot be read.
    """
    from transformers import BertTokenizer

    # asked for first: without a vocabulary transformers makes up one of five tokens
    published_file(model, ("tokenizer.json", "vocab.txt"), revision, local_files_only, "a BERT tokenizer")
    return _read(BertTokenizer, model, revision, local_files_only)


def load_clip_tokenizer(model: str, revision: str | None, local_files_only: bool) -> "CLIPTokenizer":
    """CLIP's byte-pair tokenizer out of a folder or of a hub name.

    Raises:
        FileNotFoundError: Neither ``tokenizer.json`` nor ``vocab.json`` with ``merges.txt`` is there.
        ValueError: They cannot be read.
    """
    from transformers import CLIPTokenizer

    kind = "a CLIP tokenizer"
    found = published_file(model, ("tokenizer.json", "vocab.json"), revision, local_files_only, kind)
    if found.endswith("vocab.json"):
        published_file(model, ("merges.txt",), revision, local_files_only, kind)
    return _read(CLIPTokenizer, model, revision, local_files_only)


def character_bert_tokenizer(words: Sequence[str] = ()) -> "BertTokenizer":
    """A BERT tokenizer of printable ASCII characters and of some whole words, with BERT's special tokens first.

    Args:
        words: Lower-case words that are one token each; anything else is spelt out.

    Raises:
        ValueError: A word is not one lower-case word.
    """
    from transformers import BertTokenizer

    wrong = [word for word in words if not word.isalnum() or word != word.lower()]
    if wrong:
        raise ValueError(
            f"vocabulary: {wrong[0]!r} is not one lower-case word; give letters and figures only"
        )
    letters = string.digits + string.ascii_lowercase
    tokens = [*_SPECIAL, *letters, *string.punctuation, *(f"##{letter}" for letter in letters), *words]
    return BertTokenizer(vocab={token: i for i, token in enumerate(dict.fromkeys(tokens))})


def byte_clip_tokenizer() -> "CLIPTokenizer":
    """A CLIP tokenizer without merges: every byte a token, inside and at the end of a word, as CLIP's own begins."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    alphabet = sorted(ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{byte}</w>" for byte in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[])


def tokenizer_sha256(tokenizer: "PreTrainedTokenizerFast") -> str:
    """Hex SHA-256 over a tokenizer's vocabulary and over how it splits a text; its files' layout does not count."""
    return sha256_json({"vocabulary": tokenizer.get_vocab(), "probe": tokenizer(_PROBE).input_ids})


def _read(
    cls: type, model: str, revision: str | None, local_files_only: bool
) -> "BertTokenizer | CLIPTokenizer":
    try:
        return cls.from_pretrained(model, revision=revision, local_files_only=local_files_only)
    except Exception as error:
        raise ValueError(
            f"{model}: the tokenizer's files cannot be read as a {cls.__name__} ({error}); fetch them again"
        ) from error
