"""How any part declares, checks, shows and saves its options, once.

A part is a class with an annotated ``options``; the annotation is an ``Options`` class whose fields carry their own
docstrings. ``Part(width=64)``, a TOML section and a saved folder all hold the same options. Exporting a part (``__all__``
of its package) is registering it.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from .errors import ConfigError, GermaneError, nearest

__all__ = ["Component", "Faults", "Options", "build", "exported", "faults", "find", "named", "section"]

T = TypeVar("T")


class Options(BaseModel):
    """The options of one part. Frozen; a name it does not know is an error with a suggestion."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False)


class Component:
    """A part with options.

    >>> class BellOptions(Options):
    ...     rings: int = 2
    ...     '''How often it rings.'''
    >>> class Bell(Component):
    ...     options: BellOptions
    >>> Bell(rings=3)
    Bell(rings=3)
    >>> Bell(ring=3)
    Traceback (most recent call last):
    ...
    germane.errors.ConfigError: Bell has no option 'ring'; its options are rings. Did you mean rings?
    """

    options: Options
    option_class: ClassVar[type[Options]] = Options

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        annotation = inspect.get_annotations(cls).get("options")
        if isinstance(annotation, str):
            scope = {**vars(inspect.getmodule(cls) or typing), **_calling_names(annotation)}
            annotation = scope.get(annotation)
        if inspect.isclass(annotation) and issubclass(annotation, Options):
            cls.option_class = annotation

    def __init__(self, **given: Any) -> None:
        super().__init__()
        try:
            self.options = self.option_class(**given)
        except ValidationError as error:
            raise ConfigError(faults(error, type(self).__name__, self.option_class)) from None

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Self:
        return cls(**given)

    def settings(self) -> dict[str, Any]:
        """The options that differ from the defaults, as TOML would hold them."""
        return self.options.model_dump(mode="json", exclude_defaults=True, exclude_none=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.settings().items())})"


def exported(package: ModuleType, base: type) -> dict[str, type[Any]]:
    """The parts that a package registers: name -> class, abstract ones left out."""
    found = {name: getattr(package, name) for name in package.__all__}
    return {n: c for n, c in found.items() if inspect.isclass(c) and issubclass(c, base) and not inspect.isabstract(c) and c is not base}


def find(name: str, package: ModuleType, base: type, where: str) -> type[Any]:
    """The class that ``use = name`` means: one that the package exports, or anyone's by ``"module:Class"``."""
    if ":" in name:
        module_name, _, class_name = name.partition(":")
        try:
            part = getattr(importlib.import_module(module_name), class_name)
        except (ImportError, AttributeError, ValueError, TypeError) as error:  # the last two: an empty or relative module name
            raise ConfigError(f"{where} use = {name!r}: {error}. Write module:Class of something that can be imported.") from None
        if not (inspect.isclass(part) and issubclass(part, base)):
            raise ConfigError(f"{where} use = {name!r} is not a {base.__name__}.")
        return part
    known = exported(package, base)
    if name not in known:
        raise ConfigError(f"{where} use = {name!r}: choose from {', '.join(known)}, or module:Class.{nearest(name, known)}")
    return known[name]


def build(section: Mapping[str, Any], package: ModuleType, base: type, where: str, default: str | None = None) -> Any:
    """Make the part that a TOML section describes."""
    given = dict(section)
    name = given.pop("use", default)
    if not isinstance(name, str):
        raise ConfigError(f"{where} needs use = one of {', '.join(exported(package, base))}.")
    part = find(name, package, base, where)
    try:
        return part(**given)
    except ConfigError as error:
        raise ConfigError([f"{where} {fault}" for fault in error.faults]) from None


class Faults:
    """What several steps refuse, so that all of it is said at once.

    >>> found = Faults()
    >>> found.attempt(lambda: 3)
    3
    >>> found.tell()  # nothing was refused
    """

    def __init__(self) -> None:
        self.found: list[GermaneError] = []

    def attempt(self, make: Callable[[], T]) -> T | None:
        """What ``make`` gives; None where it raises what the user can mend, which is kept."""
        try:
            return make()
        except GermaneError as error:
            self.found.append(error)
            return None

    def tell(self) -> None:
        """Raise what was kept: one error as it is, several as one ``ConfigError``."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise ConfigError(list(dict.fromkeys(line for error in self.found for line in str(error).splitlines())))


def named(part: object, package: ModuleType) -> str:
    """What ``use`` calls it: the class name where the package exports it, else module:Class."""
    kind = type(part)
    return kind.__name__ if getattr(package, kind.__name__, None) is kind else f"{kind.__module__}:{kind.__name__}"


def section(part: Component, package: ModuleType) -> dict[str, Any]:
    """The TOML section that describes it."""
    return {"use": named(part, package), **part.settings()}


def faults(error: ValidationError, who: str, options: type[BaseModel]) -> list[str]:
    """Pydantic's errors in this project's words, one sentence each."""
    return [_sentence(detail, who, options) for detail in error.errors(include_url=False)]


def _sentence(detail: ErrorDetails, who: str, options: type[BaseModel]) -> str:
    path = ".".join(str(step) for step in detail["loc"])
    if detail["type"] == "extra_forbidden":
        names = _fields_at(options, detail["loc"][:-1])
        return f"{who} has no option {path!r}; its options are {', '.join(names) or 'none'}.{nearest(detail['loc'][-1], names)}"
    if detail["type"] == "missing":
        return f"{who} needs the option {path!r}."
    message = detail["msg"].removeprefix("Value error, ")
    message = message.replace("Input should", "should")
    return f"{who} option {path} = {detail.get('input')!r}: {message}." if path else f"{who}: {message}."  # of several options together


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for step in path:
        annotation = model.model_fields[step].annotation if isinstance(step, str) and step in model.model_fields else None
        inner = [a for a in (annotation, *typing.get_args(annotation)) if inspect.isclass(a) and issubclass(a, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def _calling_names(name: str) -> dict[str, Any]:
    """Names where the class is being defined, for parts defined inside a function (tests, notebooks)."""
    frame = inspect.currentframe()
    while frame is not None:
        if name in frame.f_locals:
            return {name: frame.f_locals[name]}
        frame = frame.f_back
    return {}
