"""What a scheduler reports, as documented and as checked."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

EXAMPLE_HEARTBEAT: JsonDict = {
    "scheduler_address": "tls://10.1.2.3:8786",
    "dashboard_address": "http://10.1.2.3:8787",
    "api_address": "http://10.1.2.3:8788",
    "count": 2,
    "active_workers": ["dask-worker-2b5d4f7e8c1a4b6f9d3e5a7c9b1d3f5e-0"],
    "closing_workers": [],
    "closed_workers": [],
    "groups": {"gpu": 1},
}


class Heartbeat(BaseModel):
    """A scheduler's report.

    Only `count` and `groups` have an effect. The other keys are what released images send; their form is theirs to
    choose.
    """

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_HEARTBEAT})

    count: int = Field(ge=0, description="How many workers the scheduler wants.")
    groups: dict[str, Annotated[int, Field(ge=0)]] | None = Field(
        default=None, description="The same of each named group. Without it the scheduler has no groups."
    )
