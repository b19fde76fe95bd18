"""Types of arguments, read from their source: aliases are followed to what they stand for, without importing anything."""

import ast
from collections.abc import Callable
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin

from ecg_lightning.ranges import Between, Items

_KNOWN: dict[str, Any] = {
    "int": int, "float": float, "bool": bool, "str": str, "list": list, "dict": dict, "None": None,
    "Any": Any, "Optional": Optional, "Union": Union, "Literal": Literal, "Annotated": Annotated,
    "Sequence": list, "Iterable": list, "Mapping": dict, "Path": str,
    "Between": Between, "Items": Items,
}  # fmt: skip
_DEEPEST = 8
"""Aliases of aliases are followed this far."""


def expand(annotation: ast.expr, module: str, definition: Callable[[str, str], tuple[str, ast.expr] | None]) -> str:
    """Returns an annotation as written, its aliases replaced by what they stand for.

    Args:
        annotation: of an argument of a constructor in `module`.
        module: where it is written.
        definition: finds the module and the expression that define a name in a module.
    """
    return ast.unparse(_Expanded(module, definition).visit(annotation))


class _Expanded(ast.NodeTransformer):
    def __init__(
        self, module: str, definition: Callable[[str, str], tuple[str, ast.expr] | None], depth: int = 0
    ) -> None:
        self.module, self.definition, self.depth = module, definition, depth

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in _KNOWN or self.depth == _DEEPEST:
            return node
        alias_definition = self.definition(self.module, node.id)
        if alias_definition is None:
            return node
        module, expression = alias_definition
        # parsed anew: the tree of the module is not changed
        copy = ast.parse(ast.unparse(expression), mode="eval").body
        expanded: ast.expr = _Expanded(module, self.definition, self.depth + 1).visit(copy)
        return expanded


def assigned(body: list[ast.stmt], name: str) -> ast.expr | None:
    """Returns the type that a module gives a name to: `Block = Literal["basic", "bottleneck"]`."""
    for node in body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        is_target = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if (
            is_target
            and isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Subscript | ast.BinOp)
        ):
            return node.value
    return None


class _Names(dict[str, Any]):
    """The names that an annotation may use; every other one is a class that is not imported."""

    def __missing__(self, name: str) -> Any:
        return _UnimportedClass


class _UnimportedMeta(type):
    def __getattr__(cls, name: str) -> Any:
        return cls

    def __getitem__(cls, item: Any) -> Any:
        return cls


class _UnimportedClass(metaclass=_UnimportedMeta):
    """Any class by its name, with whatever attributes and parameters the annotation gives it."""


@cache
def hint_of(annotation: str) -> Any:
    """Returns the type that an expanded annotation says; Any where it cannot be read.

    >>> hint_of("Optional[Union[int, Accelerator]]")
    typing.Optional[int]
    """
    try:
        # The source of an installed class, not the user's text; and it sees no name but those above.
        return _without_classes(eval(annotation, {"__builtins__": {}}, _Names(_KNOWN)))
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any


def _without_classes(hint: Any) -> Any:
    """Returns a type without classes that are not imported: no value of a configuration is an object of theirs."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is _UnimportedClass:
        return Any
    if origin is Annotated:
        return Annotated[(_without_classes(inner[0]), *inner[1:])]
    if origin in (Union, UnionType):
        reachable_choices = [_without_classes(choice) for choice in inner if choice is not _UnimportedClass]
        return reduce(or_, reachable_choices) if set(reachable_choices) - {type(None)} else Any
    if origin in (list, dict):
        return origin[tuple(map(_without_classes, inner))]
    return hint
