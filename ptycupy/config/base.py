"""What all sections of the configuration share: strict frozen models, number types with units, described keys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

Location = tuple[str | int, ...]


class Section(BaseModel):
    """A group of keys: frozen, no unknown keys, no conversion between types, no NaN or infinity.

    A list stands for a tuple, a path object for its text, a NumPy scalar for its number; a section that is
    written with nothing below it is its defaults.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=False
    )

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: plain(value) for key, value in values.items() if value is not None or not cls._is_section(key)}

    @classmethod
    def _is_section(cls, key: object) -> bool:
        field = cls.model_fields.get(key) if isinstance(key, str) else None
        return field is not None and isinstance(field.default, Section) and NoneType not in get_args(field.annotation)


def plain(value: Any) -> Any:
    """The value with tuples for lists, text for path objects and Python numbers for NumPy scalars."""
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def described(
    default: Any, text: str, *, unit: str = "", example: Any = None, fill: bool = False, **limits: Any
) -> Any:
    """A described key: what it means, its unit, an example, and whether a new configuration must fill it in."""
    extra: dict[str, Any] = {"unit": unit} if unit else {}
    if fill:
        extra["fill"] = True
    examples = None if example is None else [example]
    return Field(default, description=text, examples=examples, json_schema_extra=extra or None, **limits)


@dataclass(frozen=True)
class Plausible:
    """A number within `low` .. `high`, which also recognises the units that are often written by mistake."""

    low: float
    high: float
    unit: str
    mistaken: tuple[tuple[str, float], ...] = ()  # (unit written by mistake, its size in `unit`)

    def __call__(self, value: float) -> float:
        if self.low <= value <= self.high:
            return value
        for other, size in self.mistaken:
            if self.low <= value * size <= self.high:
                raise ValueError(
                    f"{value:g} {self.unit}? It looks like {other}: "
                    f"did you mean {value * size:.6g} ({self.unit}), not {value:g} {other}?"
                )
        if value <= 0 < self.low:
            raise ValueError(f"{value:g} must be greater than 0 ({self.unit})")
        raise ValueError(f"{value:g} {self.unit} is outside {self.low:g} .. {self.high:g} {self.unit}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "minimum": self.low, "maximum": self.high}


def _number_or_list(value: Any) -> str:
    return "<list>" if isinstance(value, (list, tuple)) else "<number>"


Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Shape = tuple[Count, Count]
Pair = tuple[float, float]
Span = tuple[int | None, int | None]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Plausible(0.0, 1.0, "of 1", (("percent", 0.01),))]
Relax = Annotated[float, Field(ge=0, le=1)]

Length = Annotated[float, Plausible(1e-4, 1e8, "angstrom", (("m", 1e10),))]
Kilovolt = Annotated[float, Plausible(1.0, 3000.0, "kV", (("volts", 1e-3), ("MV", 1e3)))]
KiloElectronvolt = Annotated[float, Plausible(0.02, 500.0, "keV", (("eV", 1e-3), ("MeV", 1e3)))]
Milliradian = Annotated[float, Plausible(0.1, 500.0, "mrad", (("rad", 1e3), ("microrad", 1e-3)))]
Tilt = Annotated[float, Plausible(-500.0, 500.0, "mrad", (("microrad", 1e-3),))]
LengthOrPair = Annotated[
    Annotated[Length, Tag("<number>")] | Annotated[tuple[Length, Length], Tag("<list>")], Discriminator(_number_or_list)
]
PositiveOrPair = Annotated[
    Annotated[Positive, Tag("<number>")] | Annotated[tuple[Positive, Positive], Tag("<list>")],
    Discriminator(_number_or_list),
]
LengthOrMany = Annotated[
    Annotated[Length, Tag("<number>")] | Annotated[tuple[Length, ...], Tag("<list>")], Discriminator(_number_or_list)
]

AxisPart = Annotated[
    Annotated[int, Tag("<number>")]
    | Annotated[tuple[int | None, ...], Field(min_length=1, max_length=3), Tag("<list>")],
    Discriminator(_number_or_list),
]


def refusal(title: str, problems: list[tuple[Location, str]]) -> ValidationError:
    """One pydantic error with several (location, message) lines, for checks that look at more than one key."""
    lines = [
        InitErrorDetails(type=PydanticCustomError("check", "{problem}", {"problem": text}), loc=location, input=None)
        for location, text in problems
    ]
    return ValidationError.from_exception_data(title, lines)


def unknown_keys(title: str, keys: list[str]) -> ValidationError:
    """The error of pydantic's own check for keys that do not belong, for sections that allow some."""
    lines = [InitErrorDetails(type="extra_forbidden", loc=(key,), input=None) for key in keys]
    return ValidationError.from_exception_data(title, lines)
