"""Routes of the variables that all templates of a tenant may name."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.body import Body
from api.v1.fields import Word, storable
from api.v1.refusals import WITH_BODY, refusals
from postroom.errors import NotFound
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/settings/variables", tags=["templates"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.TEMPLATES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.TEMPLATES_WRITE))]
Name = Annotated[Word, Path(description="The name of a variable.", examples=["company_name"])]
Value = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(storable)]
EXAMPLE: dict[str, Any] = {"company_name": "Example Shop", "support_url": "https://shop.example.com/help"}


class VariablesBody(Body):
    """All variables of a tenant; each is a text."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"variables": EXAMPLE}]})

    variables: dict[Annotated[str, StringConstraints(max_length=64)], Value]


class VariablesView(BaseModel):
    """All variables of a tenant."""

    variables: Mapping[str, str] = Field(examples=[EXAMPLE])


class ValueBody(Body):
    """What one variable says."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": "Example Shop"}]})

    value: Value


class ValueView(BaseModel):
    """One variable."""

    name: str = Field(examples=["company_name"])
    value: str = Field(examples=["Example Shop"])


@router.get("", responses=refusals(), summary="Read the shared variables")
async def read_variables(caller: Reader) -> VariablesView:
    """What every template may name without being given it; a notification's own variables go before them."""
    return VariablesView(variables=await caller.services.globals.get(caller.identity.tenant_id))


@router.put("", responses=refusals(*WITH_BODY), summary="Replace the shared variables")
async def replace_variables(body: VariablesBody, caller: Writer) -> VariablesView:
    """Replace all of them; what waits to be sent uses the new ones."""
    await caller.services.globals.put(caller.identity.tenant_id, body.variables)
    return VariablesView(variables=body.variables)


@router.get("/{name}", responses=refusals(404), summary="Read a shared variable")
async def read_variable(name: Name, caller: Reader) -> ValueView:
    """Return one variable."""
    variables = await caller.services.globals.get(caller.identity.tenant_id)
    if name not in variables:
        raise NotFound("There is no such variable.")
    return ValueView(name=name, value=variables[name])


@router.put("/{name}", responses=refusals(*WITH_BODY), summary="Write a shared variable")
async def write_variable(name: Name, body: ValueBody, caller: Writer) -> ValueView:
    """Write one variable and leave the others as they are."""
    await caller.services.globals.set_one(caller.identity.tenant_id, name, body.value)
    return ValueView(name=name, value=body.value)


@router.delete(
    "/{name}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Remove a shared variable"
)
async def remove_variable(name: Name, caller: Writer) -> None:
    """Remove one variable; templates that name it without a default can no longer be worded."""
    await caller.services.globals.drop_one(caller.identity.tenant_id, name)
