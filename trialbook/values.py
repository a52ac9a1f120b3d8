"""The building blocks of the contract's values: strict, frozen, finite, clean text. Nothing here knows a study."""

import math
import re
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic import ValidationError as PydanticValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

MAX_INTEGER = 2**53
MAX_STEP = 2**31 - 1
FORBIDDEN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # tab and line ends are text

T = TypeVar("T")


class Value(BaseModel):
    """A frozen value with strict types and no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Answer(BaseModel):
    """A frozen value that the server answers with; a client of today reads a newer server's added fields past."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _clean(text: str) -> str:
    if FORBIDDEN_TEXT.search(text):
        raise PydanticCustomError("invalid_text", "holds control characters, NUL or lone surrogates")
    return text


class _CleanPattern:
    """What `_clean` asks for, in JSON Schema."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"}


Clean = Annotated[str, AfterValidator(_clean), _CleanPattern()]
Text = Annotated[Clean, Field(min_length=1, max_length=200)]
LongText = Annotated[Clean, Field(max_length=100_000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Scalar = Clean | bool | int | Finite | None
# JSON has lists only, so a tuple is taken from a list; what is in it stays strict.
Listed = Annotated[tuple[T, ...], Strict(False)]

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, None: math.nan}


def _number(value: Any) -> Any:  # Any: pydantic hands over whatever the body held
    if isinstance(value, str) or value is None:
        try:
            return _NON_FINITE[value]
        except KeyError:
            raise PydanticCustomError("float_type", 'must be a number, "nan", "inf" or "-inf"') from None
    return value


def spell(value: float) -> float | str:
    """A number as JSON can hold it: itself, or "nan", "inf", "-inf"."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


# A measured number: non-finite ones are data (a diverged loss) and travel as strings, or as null on the way in.
Number = Annotated[
    float,
    Field(allow_inf_nan=True),
    BeforeValidator(_number),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf", None]}]}, mode="validation"),
    PlainSerializer(spell, return_type=float | str, when_used="json"),
]


def located(where: str | tuple[str | int, ...], message: str, kind: str = "invalid") -> PydanticValidationError:
    """A validation error at a place below the value being validated (pydantic adds the way down to it)."""
    loc = where if isinstance(where, tuple) else ((where,) if where else ())
    problem = InitErrorDetails(type=PydanticCustomError(kind, message), loc=loc, input=None)
    return PydanticValidationError.from_exception_data("value", [problem])
