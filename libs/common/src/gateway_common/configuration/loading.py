"""Puts the configuration together from all its sources."""

from pydantic import ValidationError
from pydantic_settings import SettingsError

from gateway_common.configuration.model import ENV_PREFIX, Configuration
from gateway_common.errors import InvalidConfig


def read_configuration() -> Configuration:
    """The configuration of this process, from its environment.

    Raises InvalidConfig, whose text names every wrong variable and never a value: it may be a secret.
    """
    try:
        return Configuration()
    except ValidationError as error:
        problems = [
            (ENV_PREFIX + "__".join(map(str, problem["loc"])).upper(), problem["msg"]) for problem in error.errors()
        ]
        raise InvalidConfig("; ".join(f"{variable}: {message}" for variable, message in problems)) from None
    except SettingsError as error:
        raise InvalidConfig(str(error)) from None
