"""What the options route answers, as documented. Released clients pass `spec` to a constructor: no key may be added."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

EXAMPLE_OPTIONS: JsonDict = {
    "cluster_options": [
        {
            "field": "worker_cores",
            "label": "Worker cores",
            "default": 1,
            "spec": {"type": "int", "min": 1, "max": 4},
        },
        {
            "field": "image",
            "label": "Image",
            "default": "stable",
            "spec": {"type": "select", "options": ["stable", "next"]},
        },
    ]
}


class OptionModel(BaseModel):
    """One option."""

    field: str = Field(description="Its key in `cluster_options` of a new cluster.")
    label: str = Field(description="Its name for people.")
    default: Any = Field(description="Its value where none is given.")
    spec: dict[str, Any] = Field(
        description="Its `type`: string, bool, int or float (`min`, `max`), select (`options`), mapping."
    )


class OptionsModel(BaseModel):
    """What the caller may choose, in the order in which to show it."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_OPTIONS})

    cluster_options: list[OptionModel]
