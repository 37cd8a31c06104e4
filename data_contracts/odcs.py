"""Documents of the Open Data Contract Standard, version 3: the fields that are acted on.

Fields of the standard that are not named here may stand in a document and are left alone; a key that looks
like a misspelt one is refused, since it would otherwise be left alone as well. What the standard has no field
for stands in `customProperties`, as the standard says; `data_contracts.mapping` gives them their meaning.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nakoming.agreement.values import Line, Text, refusal, shown

API = r"v3\.\d{1,3}\.\d{1,3}"
VERSION = r"(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})"
NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
TYPE = r"[A-Za-z][A-Za-z0-9_ ]*(\(\d{1,4}(, ?\d{1,3})?\))?"


MOST_SIGNS = 10_000
MOST_PLACES = 16


def _identifier(value: object) -> object:
    if not isinstance(value, str) or re.fullmatch(NAME, value) is None or "__" in value:
        raise refusal(
            f"{shown(value)} is not the name of a table or column",
            "1 to 63 letters, digits and single underscores, a letter first",
        )
    return value


def _number(value: object) -> object:
    # Bounds of dates and instants are text in the standard; what they mean depends on the logical type.
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise refusal(f"{shown(value)} is not a bound", "a number, or a date as year-month-day")
    return value


def _count(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SIGNS:
        raise refusal(f"{shown(value)} is not a number of characters", "0 to 10000")
    return value


def _place(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= MOST_PLACES:
        raise refusal(f"{shown(value)} is not a place in a key", "1 to 16, or -1 for outside of it")
    return value


Identifier = Annotated[str, BeforeValidator(_identifier)]
Bound = Annotated[int | float | str, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_count)]
Place = Annotated[int, BeforeValidator(_place)]
PhysicalType = Annotated[
    str,
    Text(TYPE, "is not the name of a type", "a type of a database, such as text, bigint or numeric(12,3)"),
]


class Part(BaseModel):
    """A part of a document. `also` names the standard's keys that may stand there and are left alone."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)
    also: ClassVar[frozenset[str]] = frozenset()


class CustomProperty(Part):
    """What the standard has no field for: a name and a value of any shape."""

    also = frozenset({"id", "description"})
    property: Line = Field(description="the name of the property")
    value: Any = Field(description="the value of the property")


class Relationship(Part):
    """Where the values of a property must be found: `table.column` of the Suite."""

    also = frozenset({"id", "from", "customProperties"})
    type: Literal["foreignKey"] = "foreignKey"
    to: str = Field(description="a table and a column of the Suite, such as production_orders.number")


class EnumEntry(Part):
    """One allowed value, in the form of version 3.2."""

    also = frozenset({"id", "label", "description", "tags", "customProperties", "authoritativeDefinitions"})
    value: str | int | float | bool


class LogicalTypeOptions(Part):
    """Bounds and form of the values."""

    also = frozenset({
        "timezone", "defaultTimezone", "maxItems", "minItems", "uniqueItems", "maxProperties",
        "minProperties", "required",
    })  # fmt: skip
    minimum: Bound | None = None
    maximum: Bound | None = None
    exclusive_minimum: Bound | None = Field(None, alias="exclusiveMinimum")
    exclusive_maximum: Bound | None = Field(None, alias="exclusiveMaximum")
    min_length: Count | None = Field(None, alias="minLength")
    max_length: Count | None = Field(None, alias="maxLength")
    multiple_of: Bound | None = Field(None, alias="multipleOf")
    pattern: str | None = None
    format: str | None = None


class Quality(Part):
    """A rule in the standard's own words; the metrics `nullValues` and `invalidValues` are acted on."""

    also = frozenset({
        "id", "name", "description", "rule", "unit", "dimension", "method", "severity", "businessImpact",
        "tags", "customProperties", "authoritativeDefinitions", "scheduler", "schedule", "query", "engine",
        "implementation", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan",
        "mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween",
    })  # fmt: skip
    type: Literal["library", "text", "sql", "custom"] = "library"
    metric: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    must_be: int | float | None = Field(None, alias="mustBe")


class Property(Part):
    """A column."""

    also = frozenset({
        "id", "physicalName", "description", "deprecated", "synonyms", "authoritativeDefinitions", "tags",
        "classification", "criticalDataElement", "encryptedName", "examples", "items", "map", "partitioned",
        "partitionKeyPosition", "semanticType", "transformDescription", "transformLogic",
        "transformSourceObjects", "properties",
    })  # fmt: skip
    name: Identifier = Field(description="the name of the column at the ERP")
    business_name: Line | None = Field(None, alias="businessName")
    logical_type: Literal["string", "integer", "number", "date", "timestamp", "boolean"] = Field(
        alias="logicalType", description="string, integer, number, date, timestamp or boolean"
    )
    physical_type: PhysicalType = Field(
        alias="physicalType", description="the type of the column at the ERP, such as varchar(20)"
    )
    required: bool = False
    unique: bool = False
    primary_key: bool = Field(default=False, alias="primaryKey")
    primary_key_position: Place = Field(default=-1, alias="primaryKeyPosition")
    options: LogicalTypeOptions = Field(default_factory=LogicalTypeOptions, alias="logicalTypeOptions")
    enum: tuple[EnumEntry, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    quality: tuple[Quality, ...] = ()
    custom: tuple[CustomProperty, ...] = Field((), alias="customProperties")


class SchemaObject(Part):
    """A table."""

    also = frozenset({
        "id", "physicalName", "businessName", "description", "deprecated", "synonyms",
        "authoritativeDefinitions", "tags", "dataGranularityDescription", "quality", "relationships",
    })  # fmt: skip
    name: Identifier = Field(description="the name of the table at the ERP")
    logical_type: Literal["object"] = Field("object", alias="logicalType")
    physical_type: Literal["table", "view", "file"] = Field("table", alias="physicalType")
    properties: tuple[Property, ...] = Field(description="the columns of the table")
    custom: tuple[CustomProperty, ...] = Field((), alias="customProperties")


class SlaProperty(Part):
    """One promise about the data as a whole; `latency` (or `freshness`) is acted on."""

    also = frozenset({
        "id", "valueExt", "driver", "description", "scheduler", "schedule", "customProperties",
    })  # fmt: skip
    property: Line = Field(description="the name of the promise, such as latency")
    value: int | float | str | bool = Field(description="the value of the promise")
    unit: str | None = None
    element: str | None = Field(None, description="what it is about, such as orders.changed_at")


class Member(Part):
    """Somebody who answers for the data."""

    also = frozenset({
        "id", "name", "description", "dateIn", "dateOut", "replacedByUsername", "tags", "customProperties",
        "authoritativeDefinitions", "comment",
    })  # fmt: skip
    username: Line = Field(description="an address, such as exchange@vendor.example")
    role: Line | None = None


class Team(Part):
    """Who answers for the data; one member has the role `owner`."""

    also = frozenset({"id", "name", "description", "tags", "customProperties", "authoritativeDefinitions"})
    members: tuple[Member, ...] = Field(description="the members, one of them with the role owner")


class Document(Part):
    """A whole document."""

    also = frozenset({
        "id", "tenant", "tags", "servers", "dataProduct", "description", "domain", "support", "price",
        "roles", "slaDefaultElement", "authoritativeDefinitions", "customProperties", "contractCreatedTs",
    })  # fmt: skip
    api_version: Annotated[
        str, Text(API, "is not a version of the standard", "v3 and its numbers, such as v3.1.0")
    ] = Field(alias="apiVersion", description="the version of the standard, such as v3.1.0")
    kind: Literal["DataContract"] = Field(description="DataContract")
    id: Line = Field(description="a name for this contract that no other has")
    name: Literal[
        "orders", "operations", "materials", "status_out", "hours_out", "materials_out", "overview"
    ] = Field(description="the interface")
    version: Annotated[
        str, Text(VERSION, "is not the version of a contract", "three numbers, such as 1.0.0")
    ] = Field(description="the version of the contract, such as 1.0.0")
    status: Literal["proposed", "draft", "active", "deprecated", "retired"] = Field(
        description="proposed, draft, active, deprecated or retired"
    )
    tables: tuple[SchemaObject, ...] = Field(alias="schema", description="the one table of the contract")
    team: Team = Field(description="who answers for the data, with an owner among the members")
    sla: tuple[SlaProperty, ...] = Field(alias="slaProperties", description="at least the latency")
