"""The `dask-gateway-controller` command."""

import sys

import uvicorn
from pydantic import ValidationError

from gateway_common.logs import configure_logging
from gateway_controller.app import create_app
from gateway_controller.settings import ControllerSettings


def main() -> None:
    """Read the settings from the environment and run until a signal says otherwise."""
    try:
        settings = ControllerSettings()
    except ValidationError as error:
        sys.exit(f"The controller's settings are wrong: {error}")
    configure_logging(settings.log)
    group = settings.controller
    uvicorn.run(create_app(settings), host=group.host, port=group.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
