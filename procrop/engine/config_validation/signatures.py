"""Which keyword arguments a class or function takes, followed through ``**kwargs`` up the class chain.

A class that hands its ``**kwargs`` to ``super().__init__`` takes what the next ``__init__`` of the chain takes, less
what it fixes itself in that call; likewise one that makes another class of them (``nn.MultiheadAttention(**kwargs)``).
What happens to ``**kwargs`` is read from the source of ``__init__``; where they go anywhere else, nothing can be said
and every key is accepted.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

# these end a chain: an argument that gets there raises a TypeError
_CLOSED_ENDS = {"builtins.object", "torch.nn.modules.module.Module"}


@dataclass(frozen=True)
class Onward:
    """Where a class hands ``**kwargs`` on to another component, whose type stands in the config.

    Attributes:
        key: the key of the config that names the other component.
        default: its name where the key is absent.
        group: the registry that has it.
    """

    key: str
    default: str
    group: str


_RESIZE = Onward("resize_type", "Resize", "TRANSFORMS")
_ONWARD = {
    "mmcv.transforms.processing.RandomResize": _RESIZE,
    "mmcv.transforms.processing.RandomChoiceResize": _RESIZE,
    "mmengine.hooks.ema_hook.EMAHook": Onward("ema_type", "ExponentialMovingAverage", "MODELS"),
}
# kept and handed to a method later; these are the names that the method takes
_KEPT = {"mmengine.hooks.checkpoint_hook.CheckpointHook": frozenset({"meta"})}


@dataclass(frozen=True)
class Accepted:
    """The keyword arguments that a component takes.

    Attributes:
        names: known names.
        open: whether other names are accepted as well.
        ignored: whether those other names are known to have no effect at all (``**kwargs`` that nobody reads).
        onward: the component that gets the other names, where that is known.
    """

    names: frozenset[str]
    open: bool = False
    ignored: bool = False
    onward: Onward | None = None

    def unknown(self, keys: list[str]) -> list[str]:
        """The keys that are not accepted."""
        return [] if self.open else [key for key in keys if key not in self.names]

    def plus(self, names: frozenset[str]) -> "Accepted":
        """The same with more names."""
        return replace(self, names=self.names | names)


_ANYTHING = Accepted(frozenset(), open=True)
_NOTHING = Accepted(frozenset())


@cache
def accepted_keys(component: Callable) -> Accepted:
    """The keyword arguments that calling ``component`` (a class, a function, a partial) accepts."""
    if not inspect.isclass(component):
        return _of_function(component)
    if type(component).__call__ is not type.__call__:
        return _ANYTHING  # the metaclass makes the instance in its own way
    owner = _next_owner(component, 0)
    if owner is object and component.__new__ is not object.__new__:
        return _of_function(component)
    return _of_init(component, owner)


def _next_owner(component: type, start: int) -> type:
    """The first class of the chain, from position ``start``, that defines an ``__init__``."""
    return next(owner for owner in component.__mro__[start:] if "__init__" in vars(owner))


def _of_function(function: Callable) -> Accepted:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return _ANYTHING  # compiled code without a signature
    return Accepted(_keyword_names(parameters), any(p.kind is p.VAR_KEYWORD for p in parameters))


def _keyword_names(parameters: list[inspect.Parameter]) -> frozenset[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(p.name for p in parameters if p.kind in kinds and p.name != "self")


def _of_init(component: type, owner: type) -> Accepted:
    """What ``owner.__init__`` takes when it runs as part of making a ``component``."""
    full_name = f"{owner.__module__}.{owner.__qualname__}"
    if full_name in _CLOSED_ENDS:
        return _NOTHING
    init, renamed = _unwrap(vars(owner)["__init__"])
    try:
        parameters = list(inspect.signature(init).parameters.values())[1:]
    except (TypeError, ValueError):
        return _ANYTHING
    names = _keyword_names(parameters) | renamed
    rest = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
    if rest is None:
        return Accepted(names)
    if full_name in _ONWARD:
        return Accepted(names, open=True, onward=_ONWARD[full_name])
    if full_name in _KEPT:
        return Accepted(names | _KEPT[full_name])
    return _with_kwargs(component, owner, init, names, rest)


def _unwrap(init: Callable) -> tuple[Callable, frozenset[str]]:
    """The function under its decorators, and the old names that a renaming decorator still accepts."""
    renamed: set[str] = set()
    while hasattr(init, "__wrapped__"):
        cells = zip(init.__code__.co_freevars, init.__closure__ or (), strict=False)
        renamed.update(*(cell.cell_contents for name, cell in cells if name == "name_dict"))
        init = init.__wrapped__
    return init, frozenset(renamed)


def _with_kwargs(component: type, owner: type, init: Callable, names: frozenset[str], rest: str) -> Accepted:
    use = _read_kwargs(init, rest)
    if use is None:
        return Accepted(names, open=True)
    names |= use.read
    if not use.calls:
        return Accepted(names, open=True, ignored=True)
    up = [_forwarded(component, owner, init, call) for call in use.calls]
    merged = names.union(*(accepted.names for accepted in up))
    onward = up[0].onward if len(up) == 1 else None
    return Accepted(merged, any(a.open for a in up), all(a.ignored for a in up), onward)


@dataclass
class _KwargsUse:
    read: frozenset[str]  # names taken out of kwargs in the body
    calls: list[ast.Call]  # calls of another __init__, or of another class, that receive **kwargs


@cache
def _read_kwargs(init: Callable, rest: str) -> _KwargsUse | None:
    """What the body does with its ``**rest``; None when that cannot be followed."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return None
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    read: set[str] = set()
    calls: list[ast.Call] = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Name) and node.id == rest):
            continue
        parent = parents[node]
        call = parents.get(parent)
        if isinstance(parent, ast.keyword) and parent.arg is None and _is_followed(call, init):
            calls.append(call)
        elif (name := _literal_read(node, parent, call)) is not None:
            read.add(name)
        elif not (isinstance(parent, ast.Attribute) and parent.attr in ("update", "setdefault")):
            return None
    return _KwargsUse(frozenset(read), calls)


def _is_followed(call: ast.AST | None, init: Callable) -> bool:
    """Whether a call is one of an ``__init__`` or of a class."""
    if not isinstance(call, ast.Call):
        return False
    return _is_init(call.func) or named_class(call.func, init.__globals__) is not None


def _is_init(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr == "__init__"


def named_class(func: ast.expr, namespace: Mapping[str, Any]) -> type | None:
    """The class that an expression such as ``FFN`` or ``nn.Linear`` names among a module's globals, or None."""
    if isinstance(func, ast.Name):
        found = namespace.get(func.id)
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        found = getattr(namespace.get(func.value.id), func.attr, None)
    else:
        found = None
    return found if inspect.isclass(found) else None


def default_of(component: Callable, name: str) -> Any:  # noqa: ANN401 (any value)
    """The default of one argument, looked up along the class chain; None where there is none."""
    owners = component.__mro__ if inspect.isclass(component) else ()
    functions = [_unwrap(vars(owner)["__init__"])[0] for owner in owners if "__init__" in vars(owner)]
    for function in functions or [component]:
        try:
            parameter = inspect.signature(function).parameters.get(name)
        except (TypeError, ValueError):
            return None
        if parameter is not None:
            return None if parameter.default is parameter.empty else parameter.default
    return None


def _literal_read(node: ast.Name, parent: ast.AST, above: ast.AST | None) -> str | None:
    """The name in ``kwargs.pop("name")``, ``kwargs.get("name")``, ``kwargs["name"]``, ``"name" in kwargs``."""
    key: ast.AST | None = None
    if isinstance(parent, ast.Attribute) and parent.attr in ("pop", "get") and isinstance(above, ast.Call):
        key = above.args[0] if above.args else None
    elif isinstance(parent, ast.Subscript) and parent.value is node:
        key = parent.slice
    elif isinstance(parent, ast.Compare) and isinstance(parent.ops[0], (ast.In, ast.NotIn)):
        key = parent.left
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _forwarded(component: type, owner: type, init: Callable, call: ast.Call) -> Accepted:
    """What one call with ``**kwargs`` accepts, less the arguments that the call itself gives."""
    positional = list(call.args)
    if not _is_init(call.func):
        made = named_class(call.func, init.__globals__)
        return _less(accepted_keys(made), _next_owner(made, 0), call, positional)
    target = call.func.value
    mro = component.__mro__
    if isinstance(target, ast.Call) and isinstance(target.func, ast.Name) and target.func.id == "super":
        after = owner
        if target.args and isinstance(target.args[0], ast.Name):
            after = next((c for c in mro if c.__name__ == target.args[0].id), owner)
        next_owner = _next_owner(component, mro.index(after) + 1)
    elif isinstance(target, ast.Name) and inspect.isclass(init.__globals__.get(target.id)):
        base = init.__globals__[target.id]
        next_owner = _next_owner(base, 0)
        positional = positional[1:]  # self
    else:
        return _ANYTHING
    if next_owner is object and any(isinstance(a, ast.Starred) for a in positional):
        return _ANYTHING  # object stands in for the base class of a package that is not installed
    return _less(_of_init(component, next_owner), next_owner, call, positional)


def _less(accepted: Accepted, owner: type, call: ast.Call, positional: list[ast.expr]) -> Accepted:
    """The same without the arguments that a call of ``owner.__init__`` gives itself."""
    given = {keyword.arg for keyword in call.keywords if keyword.arg}
    given.update(_positional_names(owner, positional))
    return replace(accepted, names=accepted.names - given)


def _positional_names(owner: type, arguments: list[ast.expr]) -> list[str]:
    """The parameters of ``owner.__init__`` that positional arguments fill."""
    count = next((i for i, a in enumerate(arguments) if isinstance(a, ast.Starred)), len(arguments))
    try:
        parameters = list(inspect.signature(_unwrap(vars(owner)["__init__"])[0]).parameters.values())[1:]
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters[:count] if p.kind is p.POSITIONAL_OR_KEYWORD]
