"""The ``dask-gateway`` command: look at and stop clusters of the configured gateway, without writing Python."""

import sys
from typing import Any

import click

import dask_gateway


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--address", help="URL of the gateway. [default: gateway.address of dask's configuration]")
@click.pass_context
def cli(context: click.Context, address: str | None) -> None:
    """Clusters of a Dask Gateway."""
    context.obj = address


@cli.command()
@click.option(
    "--status", multiple=True, help="pending, running, stopping, stopped or failed. [default: pending, running]"
)
@click.option("--all", "all_users", is_flag=True, help="Clusters of all users, for administrators.")
@click.option("--user", help="Clusters of this user, for administrators.")
@click.pass_obj
def clusters(address: str | None, status: tuple[str, ...], all_users: bool, user: str | None) -> None:
    """List your clusters, or those of others."""
    with dask_gateway.Gateway(address) as gateway:
        reports = gateway.list_clusters(list(status) or None, all_users=all_users, user=user)
    for report in sorted(reports, key=lambda report: report.start_time):
        started = report.start_time.isoformat(" ", timespec="seconds")
        owner = f"  {report.user}" if report.user is not None else ""
        click.echo(f"{report.name}  {report.status.name:<8}  {started}{owner}  {report.dashboard_link or '-'}")


@cli.command()
@click.argument("name")
@click.pass_obj
def stop(address: str | None, name: str) -> None:
    """Stop the cluster NAME."""
    with dask_gateway.Gateway(address) as gateway:
        gateway.stop_cluster(name)


@cli.command()
@click.pass_obj
def version(address: str | None) -> None:
    """Show the versions of this client and of the gateway."""
    click.echo(f"client  {dask_gateway.__version__}")
    with dask_gateway.Gateway(address) as gateway:
        click.echo(f"gateway {gateway.get_versions()['server']['version']}")


def main(args: list[str] | None = None) -> Any:
    """Run the command; an error that a user can do something about is one line, not a traceback."""
    try:
        return cli(args)
    except (
        OSError,
        ValueError,
        dask_gateway.GatewayClusterError,
        dask_gateway.GatewayResponseError,
        dask_gateway.GatewayServerError,
    ) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
