"""Relying parties in Python, each with its default settings.

    python parties.py PARTY ISSUER CLIENT_ID CLIENT_SECRET PORT

starts a small Django site that signs people in with one of them: authlib,
mozilla-django-oidc, python-social-auth or django-allauth. parties_test.go
documents the pages of such a site.
"""
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import include, path

party, issuer, client_id, client_secret, port = sys.argv[1:]
origin = f"http://127.0.0.1:{port}"


class Party:
    """The parts that a party adds to the site. settings holds only settings that the
    documentation of the party requires: the provider, the client, and missing
    settings of the site itself."""
    settings = {}
    apps = []
    middleware = []
    backend = "django.contrib.auth.backends.ModelBackend"

    def me(self, request):
        return request.user.email if request.user.is_authenticated else None


class Authlib(Party):
    def __init__(self):
        from authlib.integrations.django_client import OAuth
        self.client = OAuth().register(
            "signet", client_id=client_id, client_secret=client_secret,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email"},
            update_token=lambda token, **_: self.keep(token))

    def urls(self):
        return [path("callback", self.callback)]

    def keep(self, token):
        self.renewed = dict(token)

    def login(self, request):
        return self.client.authorize_redirect(request, f"{origin}/callback")

    def callback(self, request):
        request.session["token"] = dict(self.client.authorize_access_token(request))
        return redirect("/me")

    def me(self, request):
        token = request.session.get("token")
        return self.client.userinfo(token=token)["email"] if token else None

    def refresh(self, request):
        # The library refreshes an expired token before its next call.
        before, self.renewed = request.session["token"], None
        self.client.userinfo(token={**before, "expires_at": 1})
        request.session["token"] = {**before, **self.renewed}
        return JsonResponse({"rotated": self.renewed["refresh_token"] != before["refresh_token"]})

    def logout(self, request):
        token = request.session.pop("token")
        return self.client.logout_redirect(request, post_logout_redirect_uri=f"{origin}/bye", id_token_hint=token["id_token"])


class Mozilla(Party):
    settings = {
        "OIDC_RP_CLIENT_ID": client_id,
        "OIDC_RP_CLIENT_SECRET": client_secret,
        "OIDC_OP_AUTHORIZATION_ENDPOINT": f"{issuer}/authorize",
        "OIDC_OP_TOKEN_ENDPOINT": f"{issuer}/token",
        "OIDC_OP_USER_ENDPOINT": f"{issuer}/userinfo",
        "OIDC_OP_JWKS_ENDPOINT": f"{issuer}/jwks",
        "OIDC_RP_SIGN_ALGO": "RS256",  # the default is HS256, which uses the client secret as its key
    }
    apps = ["mozilla_django_oidc"]
    middleware = ["mozilla_django_oidc.middleware.SessionRefresh"]
    backend = "mozilla_django_oidc.auth.OIDCAuthenticationBackend"

    def urls(self):
        return [path("oidc/", include("mozilla_django_oidc.urls"))]

    def login(self, request):
        return redirect("oidc_authentication_init")

    def refresh(self, request):
        # The middleware then sends the browser to the provider with prompt=none.
        request.session["oidc_id_token_expiration"] = 0
        return redirect("/me")


class SocialAuth(Party):
    settings = {
        "SOCIAL_AUTH_OIDC_OIDC_ENDPOINT": issuer,
        "SOCIAL_AUTH_OIDC_KEY": client_id,
        "SOCIAL_AUTH_OIDC_SECRET": client_secret,
    }
    apps = ["social_django"]
    backend = "social_core.backends.open_id_connect.OpenIdConnectAuth"

    def urls(self):
        return [path("social/", include("social_django.urls", namespace="social"))]

    def login(self, request):
        from django.middleware.csrf import get_token
        return HttpResponse(f"""<form id="begin" method="post" action="/social/login/oidc/">
            <input name="csrfmiddlewaretoken" value="{get_token(request)}"></form>""")

    def refresh(self, request):
        from social_django.utils import load_strategy
        account = request.user.social_auth.get(provider="oidc")
        before = account.extra_data["refresh_token"]
        account.refresh_token(load_strategy(request))
        return JsonResponse({"rotated": account.extra_data["refresh_token"] != before})


class Allauth(Party):
    settings = {
        "SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"APPS": [{
            "provider_id": "signet", "name": "Signet", "client_id": client_id, "secret": client_secret,
            "settings": {"server_url": issuer},
        }]}},
        "SOCIALACCOUNT_LOGIN_ON_GET": True,
        "ACCOUNT_EMAIL_VERIFICATION": "none",  # this site sends no mail
    }
    apps = ["allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.openid_connect"]
    middleware = ["allauth.account.middleware.AccountMiddleware"]
    backend = "allauth.account.auth_backends.AuthenticationBackend"

    def urls(self):
        return [path("accounts/", include("allauth.urls"))]

    def login(self, request):
        return redirect("openid_connect_login", provider_id="signet")


def me(request):
    email = chosen.me(request)
    return JsonResponse({"email": email} if email else {"error": "nobody is signed in"}, status=200 if email else 401)


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


parties = {"authlib": Authlib, "mozilla-django-oidc": Mozilla, "python-social-auth": SocialAuth, "django-allauth": Allauth}
kind = parties[party]
settings.configure(
    SECRET_KEY="a key for this test alone",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                    "django.contrib.messages", *kind.apps],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware", *kind.middleware],
    AUTHENTICATION_BACKENDS=[kind.backend],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]}}],
    # A database in memory is enough, because the server below has one thread.
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGIN_REDIRECT_URL="/me",
    LOGGING={"version": 1, "handlers": {"stderr": {"class": "logging.StreamHandler"}},
             "root": {"handlers": ["stderr"], "level": "INFO"}},
    **kind.settings,
)
django.setup()
chosen = kind()
pages = {"login": chosen.login, "me": me, "bye": lambda request: HttpResponse("Until next time."),
         "refresh": getattr(chosen, "refresh", None), "logout": getattr(chosen, "logout", None)}
urlpatterns = [*chosen.urls(), *(path(name, view) for name, view in pages.items() if view)]
call_command("migrate", verbosity=0)
make_server("127.0.0.1", int(port), get_wsgi_application(), handler_class=Quiet).serve_forever()
