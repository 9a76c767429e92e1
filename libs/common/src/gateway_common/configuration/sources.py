"""Where a value came from, so that an error or `gateway config show` can name it."""

from dataclasses import dataclass

#: A setting's place in the model: `("controller", "parallelism")`.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """`place` is a file, a block of code, or the environment; `key` is what the setting is called there."""

    place: str
    key: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}"
