"""OAuth clients that others wrote, unchanged, against the demo; a person approves with a click."""

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.integrations.requests_client import OAuthError
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import BackendApplicationClient
from requests import Session
from requests_oauthlib import OAuth2Session

from tests.system.conftest import SECRETS, Demo, program

pytestmark = pytest.mark.system

CLIENTS = Path(__file__).parent / "clients"
API = "billing-api"
CIBA = "urn:openid:params:grant-type:ciba"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two libraries of npm, as its registry has them today."""
    assert shutil.which("npm"), "npm is not installed; on Debian type: apt-get install npm"
    folder = tmp_path_factory.mktemp("npm")
    names = ("openid-client@6", "oauth4webapi@3")
    flags = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent")
    asyncio.run(program("npm", "install", *flags, *names, cwd=folder))
    for script in CLIENTS.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


async def claims_of(demo: Demo, token: str) -> dict[str, Any]:
    """Return the claims of `token`, verified by joserfc against the published keys."""
    url = f"{demo.place.bot}/.well-known/jwks.json"
    published = (await asyncio.to_thread(Session().get, url, timeout=10)).json()
    found = jwt.decode(token, KeySet.import_key_set(published), algorithms=["RS256"])
    assert found.header["typ"] == "at+jwt"
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": demo.place.bot},
        client_id={"essential": True, "value": "ci"},
        exp={"essential": True},
        sub={"essential": True},
        jti={"essential": True},
    ).validate(found.claims)
    return found.claims


@pytest.mark.parametrize(
    ("script", "subject", "scope"),
    [
        (
            "openid_client.mjs",
            "person:T0DEMO:U0ANNA",
            "ci:deploy:production k8s:rollout:production logs:read:production",
        ),
        ("oauth4webapi.mjs", "ci", "logs:read:production"),
    ],
)
async def test_a_library_of_npm_completes_each_flow(
    demo: Demo, packages: Path, script: str, subject: str, scope: str
) -> None:
    reason = f"deploying with {script}"
    words = (demo.place.bot, "ci", SECRETS["ci"], API, SECRETS[API], reason)
    running = asyncio.create_task(program("node", script, *words, cwd=packages))
    await demo.approves(reason)
    said = json.loads(await running)
    assert (await claims_of(demo, said["at_once"]))["sub"] == "ci"
    claims = await claims_of(demo, said["decided"])
    assert (claims["sub"], said["scope"]) == (subject, scope)
    assert (said["before"]["active"], said["before"]["sub"]) == (True, subject)
    assert said["after"] == {"active": False}


def with_authlib(demo: Demo, reason: str) -> dict[str, Any]:
    """Return what authlib got: client credentials, CIBA, introspection, revocation."""
    bot = demo.place.bot
    session = AuthlibSession("ci", SECRETS["ci"], token_endpoint_auth_method="client_secret_basic")
    at_once = session.fetch_token(
        f"{bot}/oauth/token",
        grant_type="client_credentials",
        scope="logs:read:staging",
        duration="300",
        reason="the nightly report",
    )
    detail = {
        "type": "access_bundle",
        "bundle": "deploy-production",
        "reason": reason,
        "ticket": "OPS-7",
    }
    asked = session.post(
        f"{bot}/oauth/backchannel",
        data={
            "login_hint": "anna@acme.example",
            "authorization_details": json.dumps([detail]),
        },
        auth=("ci", SECRETS["ci"]),
        withhold_token=True,
        timeout=10,
    ).json()
    decided = None
    while decided is None:
        try:
            decided = session.fetch_token(
                f"{bot}/oauth/token", grant_type=CIBA, auth_req_id=asked["auth_req_id"]
            )
        except OAuthError as problem:
            if problem.error != "authorization_pending":
                raise
            time.sleep(asked["interval"])
    owner = AuthlibSession(API, SECRETS[API], token_endpoint_auth_method="client_secret_post")
    token = decided["access_token"]

    def introspected() -> Any:
        return owner.introspect_token(f"{bot}/oauth/introspect", token=token).json()

    before = introspected()
    assert session.revoke_token(f"{bot}/oauth/revoke", token=token).status_code == 200
    return {
        "at_once": at_once["access_token"],
        "decided": token,
        "before": before,
        "after": introspected(),
    }


async def test_authlib_completes_each_flow(demo: Demo) -> None:
    reason = "deploying with authlib"
    running = asyncio.create_task(asyncio.to_thread(with_authlib, demo, reason))
    await demo.approves(reason)
    said = await running
    assert (await claims_of(demo, said["at_once"]))["sub"] == "ci"
    assert (await claims_of(demo, said["decided"]))["act"] == {"sub": "ci"}
    assert said["before"]["active"] is True
    assert said["after"] == {"active": False}


async def test_requests_oauthlib_completes_its_flow(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the demo is on loopback, without TLS
    session = OAuth2Session(client=BackendApplicationClient("ci", scope=["logs:read:staging"]))
    fetched = await asyncio.to_thread(
        session.fetch_token,
        f"{demo.place.bot}/oauth/token",
        client_id="ci",
        client_secret=SECRETS["ci"],
        reason="the nightly report",
    )
    assert fetched["scope"] == ["logs:read:staging"]
    claims = await claims_of(demo, fetched["access_token"])
    assert claims["scope"] == "logs:read:staging"
