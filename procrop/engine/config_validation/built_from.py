"""What the dicts without a ``type`` are made into: read from the source of the component that takes them.

A DETR-like model takes ``encoder=dict(num_layers=6, ...)`` and makes it into a class of its own choice:
``self.encoder = DetrTransformerEncoder(**encoder)``, in ``__init__`` or, from ``self.encoder``, in another method. Such
a dict is compared with the signature of that class. Nothing is said about an argument that may lose keys or be replaced
before the class gets it: one that is handed elsewhere, popped from, or bound anew.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from .signatures import named_class

# base classes that take no part in this; everything of a model derives from them
_FOREIGN = frozenset({"builtins", "abc", "torch", "mmengine", "typing"})
_REMOVING = frozenset({"pop", "popitem", "clear"})


class _Unreadable(Exception):
    """There is no source."""


@dataclass
class _Uses:
    """What is done with arguments (``p``) and with attributes (``self.p``).

    Attributes:
        made: classes that are called with ``**p``.
        kept: argument that an attribute holds.
        spoilt: whatever may have lost keys on the way.
    """

    made: dict[str, list[type]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    spoilt: set[str] = field(default_factory=set)

    def of_arguments(self) -> dict[str, tuple[type, ...]]:
        """The classes by argument."""
        spoilt = self.spoilt | {self.kept[name] for name in self.spoilt if name in self.kept}
        found: dict[str, tuple[type, ...]] = {}
        for name, classes in self.made.items():
            argument = self.kept.get(name) if name.startswith("self.") else name
            if argument is not None and argument not in spoilt:
                found[argument] = tuple(dict.fromkeys((*found.get(argument, ()), *classes)))
        return found


@cache
def parts_of(component: Callable) -> Mapping[str, tuple[type, ...]]:
    """The classes that a component's dict arguments become, by argument: one, or several to choose from."""
    if not inspect.isclass(component):
        return {}
    uses = _Uses()
    try:
        methods = {name for owner in component.__mro__ if not _is_foreign(owner) for name in _methods(owner)}
        for name in sorted(methods):
            for owner, body in _running(component, name):
                _read(body, vars(sys.modules[owner.__module__]), uses)
    except _Unreadable:
        return {}
    return uses.of_arguments()


def _is_foreign(owner: type) -> bool:
    return owner.__module__.partition(".")[0] in _FOREIGN


@cache
def _methods(owner: type) -> Mapping[str, ast.FunctionDef]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except (OSError, TypeError, SyntaxError) as error:
        raise _Unreadable from error
    return {node.name: node for node in tree.body[0].body if isinstance(node, ast.FunctionDef)}


def _running(component: type, name: str) -> Iterator[tuple[type, ast.FunctionDef]]:
    """The definitions of a method that run for a component: the first of its chain, and those reached by super()."""
    rest = list(component.__mro__)
    while rest:
        owner = rest.pop(0)
        if _is_foreign(owner) or name not in _methods(owner):
            continue
        body = _methods(owner)[name]
        yield owner, body
        after = next(filter(None, (_super_of(node, name, owner) for node in ast.walk(body))), None)
        if after is None:
            return
        while rest and any(base.__name__ == after for base in rest):
            rest.pop(0)


def _super_of(node: ast.AST, name: str, owner: type) -> str | None:
    """The class after which ``super().name(...)`` goes on looking; None for any other node."""
    if not (isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Call)):
        return None
    call = node.value
    if not (isinstance(call.func, ast.Name) and call.func.id == "super"):
        return None
    return call.args[0].id if call.args and isinstance(call.args[0], ast.Name) else owner.__name__


def _read(body: ast.FunctionDef, namespace: Mapping[str, object], uses: _Uses) -> None:
    """Add what one method does."""
    parents = {child: parent for parent in ast.walk(body) for child in ast.iter_child_nodes(parent)}
    arguments = body.args.posonlyargs + body.args.args + body.args.kwonlyargs
    names = {a.arg for a in arguments[1:]} if body.name == "__init__" else set()
    for node in ast.walk(body):
        name = _name(node)
        if name in names or (name or "").startswith("self."):
            _read_use(node, name, parents, namespace, uses)


def _name(node: ast.AST | None) -> str | None:
    """``p`` or ``self.p``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return f"self.{node.attr}"
    return None


def _read_use(
    node: ast.expr, name: str, parents: Mapping, namespace: Mapping[str, object], uses: _Uses
) -> None:
    parent = parents[node]
    if isinstance(parent, ast.BoolOp) and parent.values[0] is node:  # **(p or dict(...))
        node, parent = parent, parents[parent]
    if isinstance(parent, ast.keyword) and parent.arg is None:
        target = named_class(parents[parent].func, namespace)
        if target is None:
            uses.spoilt.add(name)
        else:
            uses.made.setdefault(name, []).append(target)
    elif isinstance(parent, ast.Assign) and parent.value is node and not name.startswith("self."):
        attribute = _name(parent.targets[0]) or ""
        if (
            not attribute.startswith("self.")
            or len(parent.targets) > 1
            or uses.kept.setdefault(attribute, name) != name
        ):
            uses.spoilt.add(name)
    elif not _keeps_keys(node, name, parents):
        uses.spoilt.add(name)


def _keeps_keys(node: ast.expr, name: str, parents: Mapping) -> bool:
    """Whether all keys of the dict still get to the class after a use; new ones do no harm."""
    whole = node
    while isinstance(parents[node], ast.Attribute | ast.Subscript) and parents[node].value is node:
        node = parents[node]
    parent = parents[node]
    context = getattr(node, "ctx", ast.Load())
    if isinstance(context, ast.Del) or (isinstance(node, ast.Attribute) and node.attr in _REMOVING):
        return False
    if isinstance(context, ast.Store) and node is whole:
        return isinstance(parent, ast.Assign) and _is_made_or_kept(parent.value)
    if node is not whole or name.startswith("self."):
        return True
    if isinstance(parent, ast.keyword):  # handed up: super().__init__(p=p)
        func = parents[parent].func
        return parent.arg == name and isinstance(func, ast.Attribute) and func.attr == "__init__"
    return isinstance(parent, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.If) or (
        isinstance(parent, ast.IfExp) and parent.test is node
    )


def _is_made_or_kept(value: ast.expr) -> bool:
    """Whether what is assigned to ``self.p`` is an argument as it came, or made of one."""
    if isinstance(value, ast.Call):
        return any(keyword.arg is None for keyword in value.keywords)
    return isinstance(value, ast.Name)
