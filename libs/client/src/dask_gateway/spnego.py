"""The Kerberos side of ``Negotiate`` authentication, by whichever GSSAPI binding is installed.

``gssapi`` (the ``kerberos`` extra of this package), ``kerberos`` (pykerberos) and ``winkerberos`` do the same job.
No I/O with the gateway happens here: tokens come in and go out as base64 text.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from importlib import import_module
from typing import Any

AcceptReply = Callable[[str], object]

_NEGOTIATE = re.compile(r"(?:^|,)\s*Negotiate\s+([A-Za-z0-9+/=]+)", re.IGNORECASE)


def negotiate_token(www_authenticate: str) -> str:
    """The token of the ``Negotiate`` challenge in a WWW-Authenticate header, or an empty text."""
    found = _NEGOTIATE.search(www_authenticate)
    return found.group(1) if found else ""


def start_negotiation(host: str) -> tuple[str, AcceptReply]:
    """The first token for the service ``HTTP@host``, and the function that checks the server's reply to it."""
    for name, start in (("gssapi", _start_gssapi), ("kerberos", _start_pykerberos), ("winkerberos", _start_pykerberos)):
        try:
            binding = import_module(name)
        except ImportError:
            continue
        return start(binding, host)
    raise ImportError("Kerberos authentication needs one of the packages gssapi, kerberos and winkerberos")


def _start_gssapi(gssapi: Any, host: str) -> tuple[str, AcceptReply]:
    service = gssapi.Name(f"HTTP@{host}", gssapi.NameType.hostbased_service)
    flags = (gssapi.RequirementFlag.mutual_authentication, gssapi.RequirementFlag.out_of_sequence_detection)
    spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
    context = gssapi.SecurityContext(name=service, mech=spnego, flags=flags, usage="initiate")
    try:
        token = context.step()
    except gssapi.exceptions.GSSError as error:
        raise PermissionError(f"There is no Kerberos ticket for {host}: get one by kinit ({error})") from error
    return b64encode(token).decode(), lambda reply: context.step(b64decode(reply))


def _start_pykerberos(kerberos: Any, host: str) -> tuple[str, AcceptReply]:
    flags = kerberos.GSS_C_MUTUAL_FLAG | kerberos.GSS_C_SEQUENCE_FLAG
    _, context = kerberos.authGSSClientInit(f"HTTP@{host}", gssflags=flags)
    kerberos.authGSSClientStep(context, "")
    token: str = kerberos.authGSSClientResponse(context)
    return token, lambda reply: kerberos.authGSSClientStep(context, reply)
