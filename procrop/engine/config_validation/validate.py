"""Check every component dict of a config against the signature of the class or function that it names."""

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.config.lazy import LazyAttr, LazyObject

from . import lookup
from .built_from import parts_of
from .errors import ConfigError, Problem, did_you_mean, nearest
from .implicit import implicit_keys, runner_keys
from .places import FREE_COMPONENTS, FREE_KEYS, Path, Place, needs_type, place_of
from .signatures import Accepted, accepted_keys
from .top_level import misspelt_hooks, misspelt_top_level

# read by the config and the registries themselves
_RESERVED = frozenset({"type", "_scope_", "_delete_"})


def validate_config(cfg: Config) -> None:
    """Check the whole config before anything of it is built.

    Every dict with a ``type`` is compared with the signature of what the type names; so are dicts without one that
    their component makes into a class of its own choice (``encoder`` of a DETR) and the parts with a fixed set of
    keys (dataloaders, ``env_cfg``, ``randomness``, ...). A key or type that does not exist is an
    error. Types that belong to a package that is not installed are left alone. Of top-level variables that nothing
    reads (old leftovers, raw material of other parts) only ProCrop's own components are checked: where a variable is
    used, the dict that it became is checked at its place.

    Args:
        cfg: a config as ``Config.fromfile`` returns it; it is not changed.

    Raises:
        ConfigError: naming each place, the wrong key or type and the nearest right name.
    """
    problems = find_problems(cfg)
    if problems:
        raise ConfigError(problems)


def find_problems(cfg: Config) -> list[Problem]:
    """All problems of a config, in its order; those of variables that nothing reads come last."""
    tree = raw_items(cfg)
    scope = tree.get("default_scope") or lookup.DEFAULT_SCOPE
    if isinstance(scope, str) and lookup.package_state(scope) == "unknown":
        known = {"procrop", "mmdet", "mmengine"}
        message = f"unknown scope `{scope}` at `default_scope`: {did_you_mean(scope, known, 'scopes')}"
        return [Problem("default_scope", scope, message)]
    checker = Checker(scope, is_fragment="model" not in tree and "default_scope" not in tree)
    used = [key for key in tree if key in runner_keys()]
    problems = misspelt_top_level(tree)
    if isinstance(tree.get("default_hooks"), Mapping):
        problems += misspelt_hooks(raw_items(tree["default_hooks"]))
    for key in used:
        problems += checker.check(tree[key], (key,), tree)
    seen = {(problem.name, problem.message.split("` at `")[0]) for problem in problems}
    for key in tree:
        if key not in used:
            found = checker.check(tree[key], (key,), tree, is_variable=True)
            problems += [p for p in found if (p.name, p.message.split("` at `")[0]) not in seen]
    return problems


def raw_items(node: Mapping[str, Any] | Config) -> dict[str, Any]:
    """The items of a dict of the config, with lazy imports left as they are."""
    if isinstance(node, Config):
        node = node._cfg_dict  # the public access would import every lazy object
    return dict(dict.items(node))


def dotted(path: Path) -> str:
    """A path as it is written in messages and in ``--cfg-options``."""
    return ".".join(map(str, path))


class Checker:
    """Checks components one by one.

    Args:
        scope: the config's ``default_scope``.
        is_fragment: the config is only a part, of which it is not known which package will read it: a type that
            is not found in a registry of the OpenMMLab family is no error.
    """

    def __init__(self, scope: str, is_fragment: bool = False) -> None:
        self.scope = scope
        self.is_fragment = is_fragment

    def check(
        self,
        node: Any,
        path: Path,
        above: Mapping[str, Any],
        scope: str | None = None,
        is_variable: bool = False,
        made: tuple[type, ...] = (),
    ) -> Iterator[Problem]:
        """The problems at and below a node.

        Args:
            node: any value of the config.
            path: keys from the top of the config to the node.
            above: the dict that holds the node.
            scope: where types without a prefix are looked up, if not in the config's scope.
            is_variable: the node belongs to a variable that nothing reads.
            made: classes of which the component above makes one out of the node.
        """
        scope = scope or self.scope
        if isinstance(node, list | tuple):
            for index, item in enumerate(node):
                yield from self.check(item, (*path, index), above, scope, is_variable)
        if not isinstance(node, Mapping):
            return
        items = raw_items(node)
        scope = items.get("_scope_") or scope
        keys = [key for key in items if isinstance(key, str)]
        component = None
        if made:
            checked = [(c, accepted_keys(c)) for c in made]
            component = yield from self._check_keys(checked, [k for k in keys if k != "_delete_"], path)
        elif is_component(items):
            component = yield from self._check_component(items, path, scope, is_variable)
            if items["type"] in FREE_COMPONENTS:
                return
        elif items and needs_type(path):
            known = ", ".join(lookup.names(place_of(path).groups, scope))
            yield Problem(dotted(path), "type", f"`{dotted(path)}` names no `type`; there are: {known}")
        elif (implicit := implicit_keys(path, items, above)) is not None:
            what, accepted = implicit
            yield from self._unknown_keys(accepted, keys, path, what)
        for key in keys:
            if key not in FREE_KEYS:
                made = parts_of(component).get(key, ()) if isinstance(items[key], Mapping) else ()
                yield from self.check(items[key], (*path, key), items, scope, is_variable, made)

    def _check_component(
        self, items: dict[str, Any], path: Path, scope: str, is_variable: bool
    ) -> Generator[Problem, None, Callable | None]:
        """The problems of a dict with a ``type``; returns what the type names, if that was checked."""
        place = place_of(path)
        try:
            candidates = self.candidates(items["type"], place, scope)
        except lookup.MissingPackage:
            return None
        if not candidates:
            if not is_variable:
                yield from self._unknown_type(items["type"], place, path, scope)
            return None
        keys = [key for key in items if key not in _RESERVED]
        checked = [(c, self.accepted(c, items, place, scope)) for c in candidates]
        if is_variable and not _is_own(_likeliest(checked, keys)[0]):
            return None
        return (yield from self._check_keys(checked, keys, path))

    def _check_keys(
        self, checked: list[tuple[Callable, Accepted]], keys: list[str], path: Path
    ) -> Generator[Problem, None, Callable]:
        """The problems of the keys of a dict that becomes one of several components; returns the likeliest one."""
        best, accepted = _likeliest(checked, keys)
        yield from self._unknown_keys(accepted, keys, path, describe(best))
        return best

    def candidates(self, kind: Any, place: Place, scope: str) -> list[Callable]:
        """The objects that a ``type`` may name at a place; empty when there are none."""
        if isinstance(kind, LazyAttr | LazyObject):
            kind = f"{kind.module}.{kind}" if kind.module else str(kind)
            if lookup.package_state(kind.partition(".")[0]) == "missing":
                raise lookup.MissingPackage(kind)
        if not isinstance(kind, str):
            return [kind]
        found = lookup.find(kind, place.groups, scope)
        if not found and place.certain and lookup.package_state(scope) == "missing":
            raise lookup.MissingPackage(scope)
        return found

    def accepted(self, component: Callable, items: Mapping[str, Any], place: Place, scope: str) -> Accepted:
        """The keys that a component takes at a place, with those that it hands on to another one."""
        accepted = accepted_keys(component).plus(place.extras)
        if accepted.onward is None:
            return accepted
        onward = accepted.onward
        place = Place((onward.group,))
        try:
            targets = self.candidates(items.get(onward.key, onward.default), place, scope)
        except lookup.MissingPackage:
            return accepted
        if not targets:
            return accepted
        beyond = [accepted_keys(target) for target in targets]
        names = accepted.names.union(*(target.names for target in beyond))
        return Accepted(names, any(target.open for target in beyond))

    def _unknown_keys(self, accepted: Accepted, keys: list[str], path: Path, what: str) -> Iterator[Problem]:
        free = accepted.names - set(keys)
        for key in keys:
            wrong = key not in accepted.names and not accepted.open
            # nobody reads this key, and it looks like one that is read
            ignored = key not in accepted.names and accepted.ignored and bool(nearest(key, free, cutoff=0.85))
            if wrong or ignored:
                hint = did_you_mean(key, accepted.names)
                yield Problem(dotted(path), key, f"unknown key `{key}` at `{dotted(path)}` ({what}): {hint}")

    def _unknown_type(self, kind: str, place: Place, path: Path, scope: str) -> Iterator[Problem]:
        if not place.certain and not _looks_like_class(kind):
            return  # an option that happens to be called "type"
        if self.is_fragment and not set(place.groups) <= set(lookup.OWN_GROUPS):
            return
        text = f"unknown type `{kind}` at `{dotted(path)}`"
        elsewhere = [group for group in lookup.ALL_GROUPS if lookup.find(kind, [group], scope)]
        if elsewhere:
            text += f" (it is registered in {elsewhere[0]}, and this place takes {' or '.join(place.groups)})"
        prefix, _, name = kind.rpartition(".")
        known = lookup.names(place.groups, scope)
        hint = did_you_mean(name, known, "types")
        if prefix and lookup.package_state(prefix.partition(".")[0]) == "unknown":
            text += f" (there is no package `{prefix.partition('.')[0]}`)"
        yield Problem(dotted(path), kind, f"{text}: {hint}")


def is_component(items: Mapping[str, Any]) -> bool:
    """Whether a dict names something to be built: its ``type`` is a name, a class or a function."""
    kind = items.get("type")
    return isinstance(kind, str | LazyAttr | LazyObject) or callable(kind)


def describe(component: Callable) -> str:
    """The name of a component and the module it comes from."""
    name = getattr(component, "__name__", str(component))
    return f"{name} of {getattr(component, '__module__', '?')}"


def _likeliest(checked: list[tuple[Callable, Accepted]], keys: list[str]) -> tuple[Callable, Accepted]:
    """The component to which the fewest keys are unknown."""
    return min(checked, key=lambda pair: len(pair[1].unknown(keys)))


def _is_own(component: Callable) -> bool:
    return getattr(component, "__module__", "").partition(".")[0] == lookup.DEFAULT_SCOPE


def _looks_like_class(name: str) -> bool:
    last = str(name).rpartition(".")[2]
    return last[:1].isupper()
