"""The web face: REST API, its documentation, and the server that carries them."""

from modembank_web.factory import create_app
from modembank_web.readiness import Readiness
from modembank_web.redirect import redirecting
from modembank_web.routing import with_all_as
from modembank_web.server import CannotListen, WebServer, serve

__all__ = ["CannotListen", "Readiness", "WebServer", "create_app", "redirecting", "serve", "with_all_as"]
