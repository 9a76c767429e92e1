"""How users prove who they are: the auth service's part of the configuration."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from gateway_common.configuration.groups import LogLevel, SettingsGroup
from gateway_common.setting import setting

AuthenticatorKind = Literal["simple", "kerberos", "jupyterhub", "oidc", "custom"]
LoginKind = Literal["jupyterhub", "oidc"]

#: JSON Web Algorithms with a public key. A shared secret is no way to check other people's tokens.
SignatureAlgorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]

#: What bcrypt makes of a password: `$2b$12$` and 53 characters, of which the first 22 are the salt. Each step of
#: cost doubles the time; `htpasswd` makes none above 17, which takes ten seconds.
PASSWORD_HASH = r"^\$2[aby]\$(0[4-9]|1[0-7])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}$"  # noqa: S105  # of hashes
PasswordHash = Annotated[str, StringConstraints(pattern=PASSWORD_HASH)]


class SimpleSettings(SettingsGroup):
    """One password for everybody, or one for each user."""

    password: SecretStr | None = setting(
        None,
        values="gateway.auth.simple.password",
        traits="SimpleAuthenticator.password",
        description="The password that every user must give. Not set or empty, and no users of their own: any "
        "password will do.",
    )
    users: dict[str, PasswordHash] = setting(
        {},
        values="gateway.auth.simple.users",
        description="Users with passwords of their own, as bcrypt hashes (`htpasswd -nBC 12 alice`). `password` is no "
        "good for them; for others it is, where it is set.",
    )
    users_file: Path | None = setting(
        None,
        values="gateway.auth.simple.usersFile",
        description="The same as a file, `name:hash` a line as `htpasswd -B` writes it. It is read again when it has "
        "changed.",
    )
    reusable_for: float = setting(
        60.0,
        ge=0,
        unit="seconds",
        description="That the api may answer the same credentials by itself, and so how long a changed password may "
        "go unnoticed.",
    )


class KerberosSettings(SettingsGroup):
    """Kerberos tickets by SPNEGO."""

    service_name: str = setting(
        "HTTP",
        values="gateway.auth.kerberos.serviceName",
        traits="KerberosAuthenticator.service_name",
        description="The service's name in its principal.",
    )
    keytab: Path = setting(
        Path("dask_gateway.keytab"),
        values="gateway.auth.kerberos.keytab",
        traits="KerberosAuthenticator.keytab",
        description="The file with the service's key.",
    )
    realms: list[str] = setting(
        [],
        values="gateway.auth.kerberos.realms",
        description="Realms whose users are let in. Default: those of the keytab's principals.",
    )
    rules: list[str] = setting(
        [],
        values="gateway.auth.kerberos.rules",
        description="How principals become user names, as in `auth_to_local` of krb5.conf: `RULE:[1:$1@$0](regex)"
        "s/pattern/replacement/`, `DEFAULT`. The first that fits counts; a principal that none fits is refused. "
        "Default: the principal's first part.",
    )


class JupyterHubSettings(SettingsGroup):
    """Tokens of a JupyterHub."""

    api_token: SecretStr | None = setting(
        None,
        values="gateway.auth.jupyterhub.apiToken",
        traits="JupyterHubAuthenticator.jupyterhub_api_token",
        description="The gateway's own token, as a service of the hub. Default: `$JUPYTERHUB_API_TOKEN`, which "
        "the chart takes from a Secret.",
    )
    api_url: str | None = setting(
        None,
        values="gateway.auth.jupyterhub.apiUrl",
        traits="JupyterHubAuthenticator.jupyterhub_api_url",
        description="The hub's API. Default: `$JUPYTERHUB_API_URL`; in the chart, that of the Service `hub` beside it.",
    )
    service_name: str = setting(
        "",
        values="gateway.auth.jupyterhub.jupyterhubServiceName",
        traits="JupyterHubAuthenticator.jupyterhub_service_name",
        description="The gateway's name as a service of the hub. Default: `$JUPYTERHUB_SERVICE_NAME`.",
    )
    use_service_access_scopes: bool | None = setting(
        None,
        values="gateway.auth.jupyterhub.useServiceAccessScopes",
        traits="JupyterHubAuthenticator.use_service_access_scopes",
        description="Take only tokens that may access the service. Default: where its name is known.",
    )
    admin_is_admin: bool = setting(
        True,
        values="gateway.auth.jupyterhub.adminIsAdmin",
        description="Whether administrators of the hub are administrators of the gateway.",
    )
    public_url: str | None = setting(
        None,
        values="gateway.auth.jupyterhub.publicUrl",
        pattern=r"^(https?://|/)",
        description="Where browsers find the hub, such as `https://hub.example.org/hub/` or `/hub/`. "
        "Default: `$JUPYTERHUB_HOST$JUPYTERHUB_BASE_URL` and `hub/`, else the path of its API without `api`, such as "
        "`/hub/`, on the host of the gateway.",
    )
    client_id: str = setting(
        "",
        values="gateway.auth.jupyterhub.oauthClientId",
        description="The gateway's name in the hub's OAuth. Default: `$JUPYTERHUB_CLIENT_ID`, else `service-` and the "
        "service's name, which the hub says where nobody else does.",
    )
    request_timeout: float = setting(10.0, gt=0, unit="seconds", description="That the hub may take for an answer.")
    tls_key: Path | None = setting(
        None, traits="JupyterHubAuthenticator.tls_key", description="The private key to show to the hub."
    )
    tls_cert: Path | None = setting(
        None, traits="JupyterHubAuthenticator.tls_cert", description="The certificate that belongs to `tls_key`."
    )
    tls_ca: Path | None = setting(
        None, traits="JupyterHubAuthenticator.tls_ca", description="The authority that signed the hub's certificate."
    )


class OidcSettings(SettingsGroup):
    """Bearer tokens of an OpenID Connect issuer, and sign-in at it for browsers."""

    issuer: str = setting(
        "",
        values="gateway.auth.oidc.issuer",
        pattern=r"^(https?://.+)?$",
        description="The issuer's address, exactly as it stands in its tokens. Its keys and endpoints are found below "
        "`/.well-known/openid-configuration`.",
    )
    audience: list[str] = setting(
        [],
        values="gateway.auth.oidc.audience",
        description="A token must be meant for one of these. Default: `client_id`.",
    )
    client_id: str = setting(
        "",
        values="gateway.auth.oidc.clientId",
        description="The gateway as the issuer knows it. Browsers are sent to sign in only where it is set.",
    )
    client_secret: SecretStr | None = setting(
        None,
        values="gateway.auth.oidc.clientSecret",
        description="Its secret, where the issuer asks for one; PKCE is always used.",
    )
    scopes: list[str] = setting(
        ["openid", "profile"], values="gateway.auth.oidc.scopes", description="What browsers ask the issuer for."
    )
    algorithms: list[SignatureAlgorithm] = setting(
        ["RS256", "ES256"],
        min_length=1,
        values="gateway.auth.oidc.algorithms",
        description="Signatures that are accepted, whatever a token's header says.",
    )
    username_claim: str = setting(
        "sub",
        values="gateway.auth.oidc.usernameClaim",
        description="The claim with the user's name, with dots for claims within claims. Choose one that users can't "
        "change themselves.",
    )
    accept_unverified_email: bool = setting(
        False,
        values="gateway.auth.oidc.acceptUnverifiedEmail",
        description="Where `username_claim` is `email`: take an address of which the issuer does not say, by "
        "`email_verified`, that it is the user's. Only for issuers at which nobody can choose an address.",
    )
    groups_claim: str = setting(
        "groups", values="gateway.auth.oidc.groupsClaim", description="The claim with the user's groups. Empty: none."
    )
    admin_claim: str = setting(
        "",
        values="gateway.auth.oidc.adminClaim",
        description="A claim that is true for administrators. Empty: none are.",
    )
    admin_groups: list[str] = setting(
        [],
        values="gateway.auth.oidc.adminGroups",
        description="Groups, as in `groups_claim`, whose members are administrators.",
    )
    clock_skew: float = setting(
        30.0, ge=0, unit="seconds", description="That the clocks of the issuer and of the gateway may differ."
    )
    keys_lifetime: float = setting(
        3600.0,
        gt=0,
        unit="seconds",
        description="For which the issuer's keys are remembered. A token with an unknown key has them fetched anew.",
    )
    request_timeout: float = setting(10.0, gt=0, unit="seconds", description="That the issuer may take for an answer.")
    tls_ca: Path | None = setting(
        None,
        values="gateway.auth.oidc.tlsCa",
        description="The authority that signed the issuer's certificate. Default: the public ones.",
    )


class CustomSettings(SettingsGroup):
    """An authenticator class of the operator's."""

    class_name: str = setting(
        "", values="gateway.auth.custom.class", description="The class, with its module: `my_module.MyAuthenticator`."
    )
    config: dict[str, Any] = setting(
        {}, values="gateway.auth.custom.config", description="The class's traitlets and their values."
    )
    timeout: float = setting(
        30.0,
        gt=0,
        unit="seconds",
        values="gateway.auth.custom.timeout",
        description="That the class may take for one request.",
    )


class ThrottleSettings(SettingsGroup):
    """How failed sign-ins are slowed."""

    enabled: bool = setting(
        True,
        values="gateway.auth.throttle.enabled",
        description="Slow users and addresses whose sign-ins fail. Off for those who do so in front of the gateway.",
    )
    free_failures: int = setting(
        5,
        ge=0,
        values="gateway.auth.throttle.freeFailures",
        description="Failed sign-ins of a user from an address that cost nothing. A hundred times as many different "
        "users may fail from an address: many may share it.",
    )
    base_delay: float = setting(
        1.0,
        gt=0,
        unit="seconds",
        values="gateway.auth.throttle.baseDelay",
        description="To wait after the first failed sign-in beyond these; doubles with each further one.",
    )
    max_delay: float = setting(
        60.0, gt=0, unit="seconds", values="gateway.auth.throttle.maxDelay", description="To wait at the most."
    )
    forget_after: float = setting(
        900.0,
        gt=0,
        unit="seconds",
        values="gateway.auth.throttle.forgetAfter",
        description="Without a failed sign-in until earlier ones are forgotten.",
    )
    max_entries: int = setting(
        10_000, ge=100, description="Users and addresses that are remembered, some 200 bytes each; the oldest go first."
    )


class AuthGroup(SettingsGroup):
    """How users prove who they are, and how long that is good for."""

    host: str = setting("0.0.0.0", description="The address to listen on.")  # noqa: S104  # a pod's only one
    port: int = setting(8001, ge=0, le=65535, description="The port to listen on.")
    log_level: LogLevel | None = setting(
        None,
        values="gateway.loglevel",
        traits="DaskGateway.log_level",
        description="The least severe level that auth logs. Default: `log.level`.",
    )
    shutdown_timeout: int = setting(
        15, ge=0, unit="seconds", description="That open requests get to finish after SIGTERM."
    )
    session_lifetime: int = setting(
        3600,
        ge=1,
        unit="seconds",
        values="gateway.auth.sessionLifetime",
        description="That a session token is good for. Then groups and rights are looked up again.",
    )
    signing_keys: tuple[Path, ...] = setting(
        (),
        description="PEM files with EC P-256 private keys, or directories of them, which count in the order of their "
        "names. The first signs; the others are still accepted, which is how a key is rotated. Default: a key of this "
        "process, so that sessions end with it.",
    )
    authenticator: AuthenticatorKind = setting(
        "simple", values="gateway.auth.type", description="How users authenticate."
    )
    authenticators: list[AuthenticatorKind] = setting(
        [],
        values="gateway.auth.types",
        description="Several ways to authenticate, tried in this order. Default: `authenticator` alone.",
    )
    authenticator_class: Any = setting(
        None,
        traits="DaskGateway.authenticator_class",
        description="The authenticator as a class of dask_gateway_server.auth or a subclass, or its import path. Wins "
        "over `authenticator`.",
    )
    login: LoginKind | Literal["auto", "none"] = setting(
        "auto",
        values="gateway.auth.login",
        description="Where browsers without credentials are sent to sign in. Default: the first of the authenticators "
        "that can; `none`: browsers are asked for credentials on the spot.",
    )
    cache_max_age: float | None = setting(
        None,
        ge=0,
        unit="seconds",
        traits="Authenticator.cache_max_age",
        description="That a user's groups and rights may go unrefreshed, and a revoked token unnoticed. Default: for "
        "JupyterHub and custom classes 300 seconds, else `session_lifetime`.",
    )
    simple: SimpleSettings = Field(default=SimpleSettings())
    kerberos: KerberosSettings = Field(default=KerberosSettings())
    jupyterhub: JupyterHubSettings = Field(default=JupyterHubSettings())
    oidc: OidcSettings = Field(default=OidcSettings())
    custom: CustomSettings = Field(default=CustomSettings())
    throttle: ThrottleSettings = Field(default=ThrottleSettings())

    @property
    def kinds(self) -> list[AuthenticatorKind]:
        """The authenticators that are on, in order, each once."""
        return list(dict.fromkeys(self.authenticators or [self.authenticator]))

    @model_validator(mode="after")
    def _login_is_on(self) -> Self:
        if self.login not in ("auto", "none", *self.kinds):
            raise ValueError(f"login: {self.login} is none of the authenticators that are on: {', '.join(self.kinds)}")
        return self
