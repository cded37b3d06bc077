"""What every body of a request has in common."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(extra="forbid")
