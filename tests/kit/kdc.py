"""A real KDC (MIT krb5) with a realm of its own, on loopback."""

import asyncio
import os
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway_local.ports import free_port

REALM = "GATEWAY.TEST"
PASSWORD = "kerberos password"
_CLIENTS = f"""[libdefaults]
 default_realm = {REALM}
 rdns = false
 dns_canonicalize_hostname = false
 dns_lookup_kdc = false
 udp_preference_limit = 1
[realms]
 {REALM} = {{{{
  kdc = 127.0.0.1:{{port}}
 }}}}
"""
_KDC = f"""[kdcdefaults]
 kdc_listen = 127.0.0.1:{{port}}
 kdc_tcp_listen = 127.0.0.1:{{port}}
[realms]
 {REALM} = {{{{
  database_name = {{directory}}/principals
  key_stash_file = {{directory}}/stash
 }}}}
"""
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


class Kdc:
    """Principals, their keys, and tickets in files. Programs find it by `environment`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: Process | None = None
        self.environment = {
            **os.environ,
            "PATH": _PATH,
            "KRB5_CONFIG": str(directory / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
        }

    async def start(self) -> None:
        port = free_port()
        (self.directory / "krb5.conf").write_text(_CLIENTS.format(port=port))
        (self.directory / "kdc.conf").write_text(_KDC.format(port=port, directory=self.directory))
        await self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        with (self.directory / "kdc.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "krb5kdc", "-n", env=self.environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(60):
            while not await self._listens(port):  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()

    async def user(self, name: str) -> None:
        """A principal with a password."""
        await self.run("kadmin.local", "addprinc", "-pw", PASSWORD, name)

    async def keytab(self, service: str, file: str) -> Path:
        """A new key of a service's, alone in a file."""
        await self.run("kadmin.local", "addprinc", "-randkey", service)
        await self.run("kadmin.local", "ktadd", "-k", str(self.directory / file), service)
        return self.directory / file

    async def ticket(self, user: str, lifetime: str = "10m") -> dict[str, str]:
        """The environment of a program whose user has signed in."""
        cache = {**self.environment, "KRB5CCNAME": f"FILE:{self.directory}/{user.replace('/', '_')}.cache"}
        await self.run("kinit", "-l", lifetime, user, stdin=PASSWORD, environment=cache)
        return cache

    async def run(self, *command: str, stdin: str = "", environment: dict[str, str] | None = None) -> str:
        """The output of a program of Kerberos; raises AssertionError where it fails."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment or self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate(f"{stdin}\n".encode())
        assert process.returncode == 0, f"{command}: {output.decode()}"
        return output.decode()

    async def _listens(self, port: int) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@asynccontextmanager
async def running_kdc(directory: Path) -> AsyncIterator[Kdc]:
    kdc = Kdc(directory)
    try:
        await kdc.start()
        yield kdc
    finally:
        await kdc.stop()
