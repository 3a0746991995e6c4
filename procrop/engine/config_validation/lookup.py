"""Find what a ``type`` names: in the registries, by scope, or as an importable object.

A *group* is one kind of component: the name of a root registry (``MODELS``), of one of ProCrop's own registries
(``RETRIEVAL_BACKBONES``), or ``MMCV_OPS`` for what is looked up by name in ``mmcv.ops``.
"""

import importlib.util
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

from procrop import registry as procrop_registry

OWN_GROUPS = ("RETRIEVAL_BACKBONES", "KEY_TRANSFORMS", "INDEXES", "GALLERY_SOURCES")
MMCV_OPS = "MMCV_OPS"
DEFAULT_SCOPE = "procrop"


class MissingPackage(Exception):
    """The type lives in a package that is known but not installed: nothing can be said about it."""


def _roots() -> dict[str, Registry]:
    roots = {
        name: value
        for name, value in vars(mmengine_registry).items()
        if isinstance(value, Registry) and value.parent is None
    }
    roots.update({name: getattr(procrop_registry, name) for name in OWN_GROUPS})
    return roots


ROOTS = _roots()
ALL_GROUPS = tuple(ROOTS)


def package_state(scope: str) -> str:
    """``"installed"``, ``"missing"`` (a known package of the OpenMMLab family) or ``"unknown"``."""
    try:
        found = importlib.util.find_spec(scope) is not None
    except (ImportError, ValueError):
        found = False
    if found:
        return "installed"
    return "missing" if scope in MODULE2PACKAGE else "unknown"


@cache
def _register_scope(scope: str) -> bool:
    """Import ``<scope>.registry``, which puts its registries into the tree."""
    if package_state(scope) != "installed":
        return False
    try:
        import_module(f"{scope}.registry")
    except ModuleNotFoundError as error:
        if error.name != f"{scope}.registry":
            raise
        return False
    return True


def _child(registry: Registry, scope: str) -> Registry | None:
    if registry.scope == scope:
        return registry
    found = (_child(child, scope) for child in registry.children.values())
    return next((child for child in found if child is not None), None)


def _chain(group: str, scope: str) -> list[Registry]:
    """The registries in which a name without a prefix is looked up: those of ``scope`` and its parents."""
    root = ROOTS[group]
    _register_scope(scope)
    registry = _child(root, scope)
    if registry is None:  # not "or": a registry without entries is false
        registry = root
    chain = []
    while registry is not None:
        registry.import_from_location()
        chain.append(registry)
        registry = registry.parent
    return chain


def find(name: str, groups: Iterable[str], scope: str) -> list[Callable]:
    """Every object that ``name`` may mean: at most one per group, without repetition.

    Raises:
        MissingPackage: if the name starts with the scope of a known package that is not installed.
    """
    prefix, _, rest = name.partition(".")
    if not rest:
        found = [_in_group(group, name, scope) for group in groups]
    elif _register_scope(prefix):
        found = [_in_scope(group, rest, prefix) for group in groups]
    else:
        found = []
        if package_state(prefix) == "missing":
            raise MissingPackage(prefix)
    objects = [component for component in found if component is not None]
    if rest and not objects and (component := _imported(name)) is not None:
        objects = [component]
    return list(dict.fromkeys(objects))


def _in_group(group: str, name: str, scope: str) -> Callable | None:
    if group == MMCV_OPS:
        return _mmcv_op(name)
    return next((r.module_dict[name] for r in _chain(group, scope) if name in r.module_dict), None)


def _in_scope(group: str, name: str, scope: str) -> Callable | None:
    """``scope.name``: like a name without a prefix in a config of that scope, so parents count as well."""
    if group == MMCV_OPS or _child(ROOTS[group], scope) is None:
        return None
    return _in_group(group, name, scope)


def _mmcv_op(name: str) -> Callable | None:
    component = getattr(import_module("mmcv.ops"), name, None)
    return component if callable(component) else None


@cache
def _imported(path: str) -> Any:
    """The callable at a full dotted path such as ``torch.optim.SGD``, or None."""
    parts = path.split(".")
    if package_state(parts[0]) != "installed":
        return None
    for cut in range(len(parts) - 1, 0, -1):
        try:
            target = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            target = getattr(target, attribute, None)
        return target if callable(target) else None
    return None


def names(groups: Iterable[str], scope: str) -> list[str]:
    """All names that are known in the groups, as they are written in a config of that scope."""
    known: set[str] = set()
    for group in groups:
        if group == MMCV_OPS:
            known.update(name for name in dir(import_module("mmcv.ops")) if not name.startswith("_"))
            continue
        known.update(*(registry.module_dict for registry in _chain(group, scope)))
    return sorted(known)
