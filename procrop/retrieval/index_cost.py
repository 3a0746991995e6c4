"""What a vector index will take on the disk, by its config."""

import re

# Milvus embedded in the process keeps each key twice, as data (up to 6 bytes per number) and in its index (4)
_MILVUS_BYTES = 10
_LINKS = 32
_CODE = r"PQ(?P<m>\d+)(x(?P<bits>\d+))?(np|fsr|fs)?|SQ(?P<scalar>4|6|8|fp16|bf16)|(?P<flat>Flat)"
_FACTORY = re.compile(
    r"((?P<before>OPQ|PCAR|PCAW|PCA|RR)(?P<out>\d+)(_(?P<cut>\d+))?,)?"
    r"(IVF(?P<lists>\d+)(_HNSW(?P<coarse>\d+))?,|HNSW(?P<links>\d*)([,_]|(?=,R|$)))?"
    rf"({_CODE})?"
    r"(?P<refined>,(RFlat|Refine\(Flat\)))?"
)
_SCALAR_BITS = {"4": 4, "6": 6, "8": 8, "fp16": 16, "bf16": 16}


def index_bytes(config: dict, dim: int) -> tuple[int, int] | None:
    """Bytes of an index on this disk: per key, and once.

    Args:
        config: Config of the index, with ``type``.
        dim: Length of the keys.

    Returns:
        The two numbers; (0, 0) for an index on a server, None where it is not known.
    """
    kind = str(config["type"]).rpartition(".")[2]
    if kind == "FaissIndex":
        return faiss_bytes(str(config.get("factory", "Flat")), dim)
    if is_remote(config):
        return 0, 0
    return (_MILVUS_BYTES * dim, 0) if kind == "MilvusIndex" else None


def is_remote(config: dict) -> bool:
    """Whether the index keeps the keys on a server."""
    kind = str(config["type"]).rpartition(".")[2]
    return kind == "ElasticsearchIndex" or (kind == "MilvusIndex" and config.get("uri") is not None)


def faiss_bytes(factory: str, dim: int) -> tuple[int, int] | None:
    """Bytes per key and once of a FAISS index by its factory string; None for one that is not known.

    The bytes per key are exact, but for half-filled blocks of ``fs`` codes, which count among what is there once.
    """
    match = _FACTORY.fullmatch(factory)
    if not factory or not match:
        return None
    width, once = dim, 0
    if match["before"]:
        # OPQ turns keys and cuts them only when told to, the others always shorten
        width = int(match["cut"] or dim) if match["before"] == "OPQ" else int(match["out"])
        once += 4 * dim * width
    code, book = _code_bytes(match, width)
    once += book
    each = 8 + code  # with the id
    if match["lists"]:
        lists = int(match["lists"])
        each += 8  # the id once more, in its list
        once += lists * (4 * width + 8 + (_graph_bytes(match["coarse"]) if match["coarse"] else 0))
        once += lists * 16 * code if "fs" in factory else 0
    elif match["links"] is not None:
        each += _graph_bytes(match["links"])
    return each + (4 * dim if match["refined"] else 0), once


def _code_bytes(match: re.Match, width: int) -> tuple[int, int]:
    """Bytes of a stored key, and of the codebook."""
    if match["m"]:
        bits = int(match["bits"] or 8)
        return (int(match["m"]) * bits + 7) // 8, 4 * width * 2**bits
    if match["scalar"]:
        return (width * _SCALAR_BITS[match["scalar"]] + 7) // 8, 8 * width
    return 4 * width, 0  # "Flat", which HNSW without more is, too


def _graph_bytes(links: str) -> int:
    """Bytes of a node of HNSW: twice as many links of four bytes as its number on the lowest level, few above, and
    where they are."""
    return 8 * int(links or _LINKS) + 16
