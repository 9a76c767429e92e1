"""The JSON about the caller."""

from pydantic import BaseModel, Field


class UsedModel(BaseModel):
    """What the caller's clusters that are pending or running use together."""

    clusters: int = Field(examples=[1])
    workers: int = Field(description="As many as their schedulers were granted.", examples=[10])
    cores: float = Field(description="CPUs that schedulers and workers request.", examples=[11.0])
    memory: int = Field(description="Bytes that schedulers and workers request.", examples=[23622320128])


class AllowedModel(BaseModel):
    """What the caller may use at the most; null: as much as there is. Others' limits may leave less."""

    clusters: int | None = Field(description="Pending and running at a time.", examples=[2])
    workers: int | None = Field(description="Of all clusters together.")
    cores: float | None = Field(description="CPUs of all clusters together.")
    memory: int | None = Field(description="Bytes of all clusters together.")
    lifetime: float | None = Field(description="Seconds that a cluster may last.")


class MeModel(BaseModel):
    """An authenticated user."""

    name: str = Field(examples=["alice"])
    groups: list[str] = Field(examples=[["science"]])
    admin: bool = Field(description="Whether the caller may see, scale and stop everybody's clusters.")
    used: UsedModel
    allowed: AllowedModel
