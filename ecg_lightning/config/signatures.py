"""Reads what a constructor takes from its source, without importing it.

Importing lightning and torch takes seconds; a mistyped key must be answered at once. So the class is looked up in the
syntax tree of its file: the arguments of its `__init__`, or its fields where it is a dataclass.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ecg_lightning.config.annotations import assigned, expand, hint_of
from ecg_lightning.errors import UserError

REQUIRED = object()
"""The default of an argument that has none."""
COMPUTED = object()
"""The default of an argument whose source is not a plain literal."""


@dataclass(frozen=True)
class Argument:
    """One argument of a constructor: its name, annotation with aliases expanded, default, and line of documentation."""

    name: str
    annotation: str
    default: Any
    doc: str = ""

    @property
    def hint(self) -> Any:
        """The type that the annotation says."""
        return hint_of(self.annotation)


@dataclass(frozen=True)
class Signature:
    """What a class takes.

    Attributes:
        module: where the class is.
        name: the class's.
        summary: the first line of its docstring.
        arguments: by name, in order.
        architecture: module and name of the class that it binds (`architecture = ResNet1d`) and whose arguments these
            are; None where it takes its own.
    """

    module: str
    name: str
    summary: str
    arguments: dict[str, Argument]
    architecture: tuple[str, str] | None = None


def source_of(module: str) -> Path:
    """Finds the file of a module without importing the module or its parents.

    Raises:
        UserError: where there is no such module.
    """
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is not None and not rest and spec.origin:
        return Path(spec.origin)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, *rest)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return file
    raise UserError(f"There is no Python module '{module}' in this environment.")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(source_of(module).read_text(encoding="utf-8"))


@cache
def _imports(module: str) -> dict[str, str]:
    """Says where each name that a module imports comes from: {'ECGDataModule': 'ecg_lightning.datamodules.base'}."""
    package = module if source_of(module).name == "__init__.py" else module.rpartition(".")[0]
    origins = {}
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            origins.update({alias.asname or alias.name: origin for alias in node.names})
    return origins


def exports(package: str) -> dict[str, str]:
    """Returns the classes that a package offers: name → the module that defines it, in the order of its `__all__`."""
    for node in _tree(package).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            imports = _imports(package)
            return {name: imports.get(name, package) for name in ast.literal_eval(node.value)}
    return {}


def _class(module: str, name: str) -> tuple[str, ast.ClassDef] | None:
    """Returns the definition of a class, followed through re-exports."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
    origin = _imports(module).get(name)
    return _class(origin, name) if origin and origin != module else None


def _lineage(module: str, name: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Returns a class, then its bases, as far as their sources are within reach."""
    definition = _class(module, name)
    if definition is None:
        return
    yield definition
    for base in definition[1].bases:
        if isinstance(base, ast.Name):
            yield from _lineage(definition[0], base.id)


def _alias(module: str, name: str) -> tuple[str, ast.expr] | None:
    """Returns the module and the expression that define an alias of a type, followed through imports; None for anything else."""
    if module.partition(".")[0] in sys.stdlib_module_names:  # whose names stand for themselves
        return None
    try:
        expression = assigned(_tree(module).body, name)
        origin = _imports(module).get(name)
    except UserError:  # its source is not within reach
        return None
    if expression is not None:
        return module, expression
    return _alias(origin, name) if origin and origin != module else None


def _default(node: ast.expr | None) -> Any:
    if node is None:
        return REQUIRED
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("field", "dataclasses.field"):
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if "default" in keywords:
            return _default(keywords["default"])
        factory = keywords.get("default_factory")
        if isinstance(factory, ast.Lambda):
            return _default(factory.body)
        return {"list": [], "dict": {}}.get(ast.unparse(factory), COMPUTED) if factory else REQUIRED
    try:
        return ast.literal_eval(node)
    except ValueError:
        return COMPUTED


def _documented(docstring: str | None) -> dict[str, str]:
    """Returns the lines of a Google docstring's `Args:` or `Attributes:`: name → text."""
    texts: dict[str, str] = {}
    block = re.search(r"^ *(?:Args|Attributes):\n((?:(?: +.*)?\n?)*)", docstring or "", flags=re.MULTILINE)
    name, indent = "", 0
    for line in block[1].splitlines() if block else []:
        depth = len(line) - len(line.lstrip())
        entry = re.match(r" *(\w+)(?: \([^)]*\))?: (.*)", line)
        if not line.strip():
            name = ""
            continue
        if indent and depth < indent:
            break
        if entry and (not indent or depth == indent):
            indent, name = depth, entry[1]
            texts[name] = entry[2].strip()
        elif name:
            texts[name] += " " + line.strip()
    return texts


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def _fields(lineage: list[tuple[str, ast.ClassDef]]) -> Iterator[tuple[str, str, Any]]:
    for module, node in reversed(lineage):
        for line in node.body if _is_dataclass(node) else []:
            if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
                continue
            if "ClassVar" not in ast.unparse(line.annotation) and "init=False" not in ast.unparse(line):
                yield line.target.id, expand(line.annotation, module, _alias), _default(line.value)


def _parameters(node: ast.FunctionDef, module: str) -> Iterator[tuple[str, str, Any]]:
    positional = [*node.args.posonlyargs, *node.args.args][1:]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    pairs = [
        *zip(positional, [*padding, *node.args.defaults], strict=True),
        *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        annotation = expand(argument.annotation, module, _alias) if argument.annotation else "Any"
        yield argument.arg, annotation, _default(default)


def _architecture(lineage: list[tuple[str, ast.ClassDef]]) -> tuple[str, str] | None:
    """Returns module and name of the class that `architecture = Name` in a class's body binds."""
    for module, node in lineage:
        for line in node.body:
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "architecture":
                name = ast.unparse(line.value)
                return _imports(module).get(name, module), name
    return None


@cache
def signature_of(module: str, name: str) -> Signature:
    """Reads what the constructor of `module.name` takes, or that of the architecture that the class binds.

    Raises:
        UserError: where the module or the class is not there.
    """
    lineage = list(_lineage(module, name))
    if not lineage:
        raise UserError(f"There is no class '{name}' in the module '{module}'.")
    docs: dict[str, str] = {}
    for _, node in reversed(lineage):
        docs |= _documented(ast.get_docstring(node))
    class_module, class_node = lineage[0]
    if (bound := _architecture(lineage)) is not None:
        network = signature_of(*bound)
        return Signature(
            class_module, class_node.name, network.summary, network.arguments, (network.module, network.name)
        )
    parameters: Iterator[tuple[str, str, Any]] = iter(())
    if _is_dataclass(class_node):
        parameters = _fields(lineage)
    else:
        for origin, node in lineage:
            init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
            if init is not None:
                docs |= _documented(ast.get_docstring(init))
                parameters = _parameters(init, origin)
                break
    arguments = {key: Argument(key, annotation, value, docs.get(key, "")) for key, annotation, value in parameters}
    summary = (ast.get_docstring(class_node) or "").partition("\n")[0]
    return Signature(class_module, class_node.name, summary, arguments)
