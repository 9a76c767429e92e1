"""The rules for clusters' web pages: who may see them, and where strangers sign in. Knows no HTTP framework."""

from dataclasses import dataclass

from gateway_api.admins import Admins
from gateway_api.auth_client import AuthClient, FinishedLogin, UserRequest
from gateway_api.browsers import is_browser, is_from_another_site, is_navigation, native
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.cookies import cookie_value, login_cookie_name, set_cookie, without_ours
from gateway_api.dashboards.visit import Places, Visit
from gateway_api.errors import AuthenticationRequired, ClusterNotFound, PermissionDenied
from gateway_api.sessions.service import Login, SessionService
from gateway_common.audit import audit
from gateway_common.clock import Clock
from gateway_common.names import DASHBOARD_COOKIE
from gateway_common.principal import Principal


@dataclass(frozen=True, slots=True)
class Allowed:
    """The page may be shown. `cookies` is what the user's program gets of the Cookie header."""

    cookies: str
    set_cookie: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The browser has to go elsewhere first."""

    location: str
    set_cookies: tuple[str, ...] = ()


class DashboardAccess:
    """Decides on visits."""

    def __init__(
        self,
        places: Places,
        sessions: SessionService,
        auth: AuthClient,
        repository: ClusterRepository,
        admins: Admins,
        clock: Clock,
    ) -> None:
        self.places = places
        self._sessions = sessions
        self._auth = auth
        self._repository = repository
        self._admins = admins
        self._clock = clock

    async def decide(self, visit: Visit) -> Allowed | Redirect:
        """Raises AuthenticationRequired, PermissionDenied, ClusterNotFound and TemporarilyUnavailable."""
        if is_from_another_site(visit.host, visit.method, visit.headers):
            raise PermissionDenied("Pages of other sites may only link to a dashboard")
        if visit.headers.get("service-worker"):
            # its program answers in the browser for every page that it says it is for, the api's and others' among them
            raise PermissionDenied("A dashboard has no service worker")
        token = cookie_value(visit.headers.get("cookie"), DASHBOARD_COOKIE)
        user = self._sessions.known(token, str(visit.cluster)) if token else None
        login: Login | None = None
        if user is None:
            try:
                identity = await self._sessions.identify(_request(visit), token, dashboard=str(visit.cluster))
            except AuthenticationRequired as error:
                if self._is_check_of_a_program(visit):
                    return Allowed("")
                return await self._sign_in(visit, error)
            login, user = (identity, identity.principal) if isinstance(identity, Login) else (None, identity)
        await self._require_right(visit, user)
        cookie = self._begin(visit, login) if login else ""
        if self.places.own_host(visit) != visit.host:
            return Redirect(f"{visit.scheme}://{self.places.own_host(visit)}{visit.uri}", (cookie,) if cookie else ())
        return Allowed(without_ours(visit.headers.get("cookie", "")), cookie)

    def sign_out(self, visit: Visit) -> str:
        """The Set-Cookie header that ends the visitor's session with the cluster's pages."""
        return self._cookie("", 0, str(visit.cluster), secure=visit.is_secure)

    async def finish_login(self, cookies: str, state: str, code: str, client: str, *, secure: bool) -> Redirect:
        """A browser came back from signing in: the way to where the user wanted to go.

        Raises AuthenticationRequired where this browser did not begin it, or the sign-in is not good.
        """
        name = login_cookie_name(state)
        flow = cookie_value(cookies, name)
        if not flow:
            audit("login.finish", "denied", client=client, reason="this browser did not begin it")
            raise AuthenticationRequired(())
        try:
            finished = await self._auth.finish_login(flow, state, code, client)
        except AuthenticationRequired:
            audit("login.finish", "denied", client=client)
            raise
        audit("login.finish", "allowed", user=finished.session.principal.name, client=client)
        gone = set_cookie(name, "", max_age=0, path=self.places.callback_path, secure=secure)
        kept = self._cookie(finished.session.token, finished.session.expires_in, finished.dashboard, secure=secure)
        return Redirect(self._way_back(finished), (kept, gone))

    async def _require_right(self, visit: Visit, user: Principal) -> None:
        cluster = str(visit.cluster)
        record = await self._repository.find(visit.cluster)
        if record is None:
            raise ClusterNotFound(cluster)
        if record.user != user.name and user not in self._admins:
            audit("dashboard.open", "denied", user=user.name, cluster=cluster, client=visit.client)
            raise PermissionDenied(f"User {user.name} lacks permissions to view cluster {cluster}")

    def _is_check_of_a_program(self, visit: Visit) -> bool:
        """Whether somebody asks for the names of the pages, as dask-labextension does to see that they are there.

        Its server has no credentials for it; the pages themselves it leaves to the user's browser. No browser gets it
        so: what a stranger's scheduler answers there may be a page with a script.
        """
        path = f"{self.places.path_of(visit.cluster)}/individual-plots.json"
        return (visit.method, visit.path) == ("GET", path) and not is_browser(visit.headers)

    async def _sign_in(self, visit: Visit, error: AuthenticationRequired) -> Redirect:
        """Where a stranger signs in; raises AuthenticationRequired with what a browser understands."""
        browses = is_navigation(visit.method, visit.headers)
        front = self.places.front_host(visit)
        if browses and front != visit.host:
            return Redirect(f"{visit.scheme}://{front}{visit.uri}")
        if browses and (await self._sessions.methods()).login:
            cluster = str(visit.cluster)
            started = await self._auth.start_login(self.places.callback_url(visit), visit.uri, cluster)
            cookie = set_cookie(
                login_cookie_name(started.state),
                started.flow,
                max_age=started.expires_in,
                path=self.places.callback_path,
                secure=visit.is_secure,
            )
            return Redirect(started.location, (cookie,))
        raise AuthenticationRequired(native(error.challenges, f"Dask cluster {visit.cluster}")) from error

    def _begin(self, visit: Visit, login: Login) -> str:
        cluster = str(visit.cluster)
        audit("dashboard.open", "allowed", user=login.principal.name, cluster=cluster, client=visit.client)
        return self._cookie(login.token, login.expires_at - self._clock(), cluster, secure=visit.is_secure)

    def _cookie(self, token: str, max_age: float, cluster: str, *, secure: bool) -> str:
        path = self.places.path_of(cluster)
        return set_cookie(DASHBOARD_COOKIE, token, max_age=max_age, path=path, secure=secure, domain=self.places.parent)

    def _way_back(self, finished: FinishedLogin) -> str:
        """Only to the pages that the session is for: whoever made the link must not choose another site."""
        if self.places.is_below(finished.return_to, finished.dashboard):
            return finished.return_to
        return f"{self.places.path_of(finished.dashboard)}/status"


def _request(visit: Visit) -> UserRequest:
    return UserRequest(visit.method, visit.path, visit.query, visit.headers, visit.client)
