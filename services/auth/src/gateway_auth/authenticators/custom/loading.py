"""An operator's class as the configuration names it."""

from traitlets import TraitError

from dask_gateway_server import auth as face
from gateway_auth.authenticators.custom.authenticator import CustomAuthenticator
from gateway_auth.authenticators.custom.served import served_for
from gateway_common.configuration.auth import AuthGroup
from gateway_common.configuration.code_objects import load_authenticator
from gateway_common.errors import InvalidConfig


def load_custom(auth: AuthGroup) -> CustomAuthenticator:
    """An instance of the class with its traitlets; raises InvalidConfig."""
    place = auth.authenticator_class or auth.custom.class_name
    if not place:
        raise InvalidConfig("gateway.auth.custom.class: set it to the class, with its module")
    chosen = load_authenticator(place)
    unknown = sorted(set(auth.custom.config) - set(chosen.class_trait_names()))
    if unknown:
        raise InvalidConfig(f"gateway.auth.custom.config: {chosen.__name__} has no traitlet {', '.join(unknown)}")
    try:
        instance: face.Authenticator = chosen(**auth.custom.config)
    except TraitError as error:
        raise InvalidConfig(f"gateway.auth.custom.config: {error}") from error
    if isinstance(instance, face.ServedAuthenticator):
        instance.served = served_for(instance, auth)
    max_age = instance.cache_max_age if auth.cache_max_age is None else auth.cache_max_age
    return CustomAuthenticator(instance, max_age=float(max_age), timeout=auth.custom.timeout)
