"""FAISS factory strings: which are taken, what training they need, how a search is told how far to look."""

import re
from typing import Any

# lists and codes are trained on at most this many keys per list, and on this many keys for codes
TRAIN_PER_LIST = 64
TRAIN_FOR_CODES = 1 << 16

_CODE = r"(PQ\d+(x\d+)?(np|fs|fsr)?|SQ(4|6|8|fp16|bf16))"
_FACTORY = re.compile(
    rf"((OPQ|PCAR|PCAW|PCA|RR)\d+(_\d+)?,)?"
    rf"(Flat|{_CODE}|IVF\d+(_HNSW\d+)?,(Flat|{_CODE})|HNSW\d*(,Flat|[,_]{_CODE})?)"
    rf"(,(RFlat|Refine\(Flat\)))?"
)

# argument -> what a factory string must hold for it to mean anything, and its value when not given
_SETTINGS = {
    "nprobe": (r"IVF", 16),
    "ef_search": (r"HNSW", 64),
    "ef_construction": (r"HNSW", 40),
    "k_factor": (r"(RFlat|Refine\(Flat\))$", 4),
}


def check_factory(factory: str, settings: dict[str, int | None]) -> dict[str, int]:
    """Make sure that a factory string is one that `FaissIndex` takes.

    Args:
        factory: The string.
        settings: Search and build settings by name; None where not given.

    Returns:
        The settings that this factory has, defaults filled in.

    Raises:
        ValueError: Another string, a setting that means nothing to it, or one below 1.
    """
    if not _FACTORY.fullmatch(factory):
        raise ValueError(
            f"factory {factory!r}: not taken; examples: 'Flat', 'HNSW32', 'IVF1024,Flat', 'IVF1024,PQ32,RFlat', "
            f"'OPQ32,IVF1024,PQ32,RFlat', 'PQ32,RFlat'"
        )
    found = {}
    for name, value in settings.items():
        pattern, default = _SETTINGS[name]
        if re.search(pattern, factory):
            found[name] = default if value is None else value
        elif value is not None:
            raise ValueError(f"factory {factory!r} has no {name}; leave it out")
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return found


def make_index(faiss: Any, factory: str, dim: int, metric: str) -> Any:
    """The empty FAISS index of a factory string.

    Raises:
        ValueError: The string does not fit the length of the keys.
    """
    kind = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    try:
        return faiss.index_factory(dim, factory, kind)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].split(" at ")[0]
        raise ValueError(
            f"factory {factory!r} does not fit keys of length {dim} ({reason}); the number after PQ and OPQ must "
            f"divide the length"
        ) from error


def parts(faiss: Any, index: Any) -> list[Any]:
    """An index and the indexes and transforms inside it, outermost first, each as its own class."""
    found = [index]
    for name in ("base_index", "index", "quantizer", "storage"):
        if hasattr(index, name):
            found += parts(faiss, faiss.downcast_index(getattr(index, name)))
    if isinstance(index, faiss.IndexPreTransform):
        found += [faiss.downcast_VectorTransform(index.chain.at(i)) for i in range(index.chain.size())]
    return found


def keys_needed(faiss: Any, index: Any) -> tuple[int, str]:
    """Fewest keys that an index can be trained on, and what asks for them."""
    needs = [(0, "nothing")]
    for part in parts(faiss, index):
        if isinstance(part, faiss.IndexIVF):
            needs.append((part.nlist, f"{part.nlist} lists"))
        if getattr(part, "pq", None) is not None:
            needs.append((part.pq.ksub, f"codes of {part.pq.nbits} bits"))
        if isinstance(part, faiss.OPQMatrix):
            needs.append((256, "the rotation OPQ"))
        elif isinstance(part, faiss.LinearTransform) and not part.is_trained:
            needs.append((part.d_out, f"{part.d_out} components"))
    return max(needs)


def search_parameters(faiss: Any, index: Any, settings: dict[str, int], wanted: int, effort: int) -> Any:
    """How far a search for ``wanted`` candidates looks; ``effort`` multiplies lists probed and nodes kept.

    Returns:
        A FAISS parameter object, or None for an index that always looks at everything.
    """
    if isinstance(index, faiss.IndexRefine):
        factor = settings["k_factor"]
        base = faiss.downcast_index(index.base_index)
        inner = search_parameters(faiss, base, settings, wanted * factor, effort)
        return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=inner)
    if isinstance(index, faiss.IndexPreTransform):
        inner = search_parameters(faiss, faiss.downcast_index(index.index), settings, wanted, effort)
        return None if inner is None else faiss.SearchParametersPreTransform(index_params=inner)
    if isinstance(index, faiss.IndexIVF):
        probes = min(settings["nprobe"] * effort, index.nlist)
        coarse = faiss.downcast_index(index.quantizer)
        inner = search_parameters(faiss, coarse, settings, probes, effort)
        kind = (
            faiss.IVFPQSearchParameters if isinstance(index, faiss.IndexIVFPQ) else faiss.SearchParametersIVF
        )
        return kind(nprobe=probes) if inner is None else kind(nprobe=probes, quantizer_params=inner)
    if isinstance(index, faiss.IndexHNSW):
        kept = max(settings["ef_search"], wanted) * effort
        return faiss.SearchParametersHNSW(efSearch=min(kept, max(index.ntotal, 1)))
    return None


def looks_at_all(faiss: Any, index: Any, settings: dict[str, int], wanted: int, effort: int) -> bool:
    """Whether more effort than this cannot find more."""
    for part in parts(faiss, index):
        if isinstance(part, faiss.IndexIVF) and settings["nprobe"] * effort < part.nlist:
            return False
        if isinstance(part, faiss.IndexHNSW) and max(settings["ef_search"], wanted) * effort < part.ntotal:
            return False
    return True
