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
_CLIENTS = """[libdefaults]
 default_realm = {realm}
 rdns = false
 dns_canonicalize_hostname = false
 dns_lookup_kdc = false
 udp_preference_limit = 1
[realms]
{kdcs}
[domain_realm]
 localhost = {services}
"""
_KDC_OF_REALM = """ {realm} = {{
  kdc = 127.0.0.1:{port}
 }}"""
_KDC = """[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {directory}/principals
  key_stash_file = {directory}/stash
 }}
"""
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


class Kdc:
    """Principals, their keys, and tickets in files. Programs find it by `environment`."""

    def __init__(self, directory: Path, realm: str = REALM) -> None:
        self.directory = directory
        self.realm = realm
        self.port = free_port()
        self._process: Process | None = None
        self.environment = {
            **os.environ,
            "PATH": _PATH,
            "KRB5_CONFIG": str(directory / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
        }

    async def start(self) -> None:
        self._tell_clients(self)
        settings = _KDC.format(port=self.port, realm=self.realm, directory=self.directory)
        (self.directory / "kdc.conf").write_text(settings)
        await self.run("kdb5_util", "create", "-s", "-r", self.realm, "-P", "master")
        with (self.directory / "kdc.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "krb5kdc", "-n", env=self.environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(60):
            while not await self._listens():  # noqa: ASYNC110  # nothing announces it
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

    async def let_in(self, foreign: "Kdc") -> None:
        """Trust another realm: its users get tickets for services here."""
        for kdc in (self, foreign):
            await kdc.run("kadmin.local", "addprinc", "-pw", "trust", f"krbtgt/{self.realm}@{foreign.realm}")
            kdc._tell_clients(self, foreign)

    def _tell_clients(self, *kdcs: "Kdc") -> None:
        """Where which realm is. Services are those of the first."""
        known = "\n".join(_KDC_OF_REALM.format(realm=kdc.realm, port=kdc.port) for kdc in kdcs)
        text = _CLIENTS.format(realm=self.realm, kdcs=known, services=kdcs[0].realm)
        (self.directory / "krb5.conf").write_text(text)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@asynccontextmanager
async def running_kdc(directory: Path, realm: str = REALM) -> AsyncIterator[Kdc]:
    kdc = Kdc(directory, realm)
    try:
        await kdc.start()
        yield kdc
    finally:
        await kdc.stop()
