"""Pydantic's errors as sentences, at their places in the file."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.core.conditions import NoCondition
from bot.policy_files.documents import Model
from bot.policy_files.kinds import A_LIST, A_MAPPING
from bot.policy_files.positions import Source
from bot.policy_files.problems import Path, Problem, quoted, shown, suggestion

# https://docs.pydantic.dev/latest/errors/validation_errors/
_SENTENCES: Final[Mapping[str, str]] = {
    "bool_type": "must be true or false, not {input}",
    "dict_type": "must be a mapping, not {input}",
    "greater_than_equal": "must be {ge} or more, not {input}",
    "int_type": "must be a whole number, not {input}",
    "less_than_equal": "must be {le} or less, not {input}",
    "list_type": "must be a list, not {input}",
    "model_type": "must be a mapping, not {input}",
    "string_type": "must be text, not {input}",
    "too_long": "must hold {max_length} at most",
    "too_short": "must not be empty",
}


def problems_of(
    error: ValidationError, source: Source, path: Path, model: type[Model]
) -> Iterator[Problem]:
    """Yield what is wrong with the value at `path`, which should have been a `model`."""
    for one in error.errors(include_url=False):
        place, is_there = _place(one["loc"], source, path)
        wrong = one.get("ctx", {}).get("error")
        if isinstance(wrong, NoCondition):
            for fault in wrong.faults:
                yield source.problem_inside(place, (fault.line, fault.column), fault.what)
            continue
        at_key = one["type"] == "extra_forbidden" or not is_there
        yield source.problem(place, _sentence(one, model), at_key=at_key)


def _place(loc: Path, source: Source, path: Path) -> tuple[Path, bool]:
    """Return the path in the file that `loc` leads to, and whether all that it names is there.

    Pydantic's `loc` also holds words of its own: the tag of a union, "[key]" for a mapping's key.
    """
    named = [part for part in loc if part not in (A_LIST, A_MAPPING)]
    is_there = bool(named)
    for part in named:
        is_there = (*path, part) in source.places
        if is_there:
            path = (*path, part)
    return path, is_there


def _sentence(error: ErrorDetails, model: type[Model]) -> str:
    kind, loc, value = error["type"], error["loc"], error["input"]
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), _model_at(model, loc[:-1]))
    if kind == "missing":
        return f"the key {quoted(str(loc[-1]))} is missing"
    if kind not in _SENTENCES:
        return error["msg"].removeprefix("Value error, ")
    sentence = _SENTENCES[kind].format(input=shown(value), **error.get("ctx", {}))
    is_number = kind == "string_type" and isinstance(value, int | float)
    return f"{sentence}; put it in quotes" if is_number else sentence


def _unknown(key: str, model: type[Model]) -> str:
    if key in model.LATER:
        return f"{quoted(key)} is not supported yet"
    return f"unknown key {quoted(key)}" + suggestion(key, tuple(model.model_fields))


def _model_at(model: type[Model], loc: Path) -> type[Model]:
    """Return the model of the mapping at `loc` in a value of `model`."""
    for part in loc:
        # A place in a list is skipped: what matters is what the list holds.
        if part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation)
    return model


def _model_in(annotation: Any) -> type[Model]:
    """Return the model in `M`, `M | None` or `list[M]`."""
    kinds = (annotation, *get_args(annotation))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Model))
