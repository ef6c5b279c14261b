import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.core.errors import Unavailable
from bot.outbound import MAX_BYTES, Answer, open_outbound

LOCAL = frozenset({"127.0.0.1"})
NAMED = frozenset({"tracker.test"})


class Service:
    """A real HTTP server that notes who knocked and what was asked."""

    def __init__(self):
        self.asked = []

    async def handle(self, request):
        self.asked.append(request)
        return await getattr(self, request.path.strip("/").partition("/")[0])(request)

    async def json(self, request):
        return web.json_response({"hello": "you"})

    async def missing(self, request):
        return web.Response(status=404, text="<html>nothing here</html>")

    async def moved(self, request):
        raise web.HTTPFound("/json")

    async def busy(self, request):
        return web.Response(status=429, headers={"Retry-After": "1"})

    async def broken(self, request):
        return web.Response(status=503)

    async def html(self, request):
        return web.Response(text="<html>log in first</html>", content_type="text/html")

    async def nested(self, request):
        return web.Response(body=b"[" * 60_000)

    async def long(self, request):
        return web.Response(body=b'"' + b"x" * (MAX_BYTES - 2) + b'"')

    async def longer(self, request):
        return web.Response(body=b'"' + b"x" * (MAX_BYTES - 1) + b'"')

    async def endless(self, request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 1024)

    async def dripping(self, request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.05)

    async def packed(self, request):
        answer = web.json_response({"x": "y" * 1000})
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    async def cut(self, request):
        request.transport.close()
        return web.Response()


class Names(AbstractResolver):
    """Says in turn what `tracker.test` is."""

    def __init__(self, *turns):
        self.turns = list(turns)
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked += 1
        turn = self.turns.pop(0)
        if turn is None:
            raise OSError(None, "no such name")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in turn
        ]

    async def close(self):
        pass


@asynccontextmanager
async def served(service, **how):
    app = web.Application()
    app.router.add_get("/{path:.*}", service.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(**how)
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def service():
    service = Service()
    async with served(service) as server:
        service.url = f"http://127.0.0.1:{server.port}"
        service.named = f"http://tracker.test:{server.port}"
        yield service


async def refused(url, listed=LOCAL, **how):
    with pytest.raises(Unavailable) as problem:
        async with open_outbound(listed, **how) as outbound:
            await outbound.get_json(url, headers={"Authorization": "Bearer hush"})
    said = str(problem.value)
    assert "hush" not in said
    assert problem.value.__cause__ is None
    return said


async def test_json_is_returned_with_its_status(service):
    async with open_outbound(LOCAL) as outbound:
        answer = await outbound.get_json(service.url + "/json", headers={"Authorization": "x"})
    assert answer == Answer(200, {"hello": "you"})
    assert service.asked[0].headers["Authorization"] == "x"


async def test_what_is_not_there_is_an_answer_whatever_its_page_says(service):
    async with open_outbound(LOCAL) as outbound:
        assert await outbound.get_json(service.url + "/missing") == Answer(404, None)


async def test_what_was_encoded_arrives_as_it_was_encoded(service):
    async with open_outbound(LOCAL) as outbound:
        await outbound.get_json(service.url + "/json/%2E%2E%2Fadmin%3Fx%3D1?q=a%26b")
    assert service.asked[0].raw_path == "/json/%2E%2E%2Fadmin%3Fx%3D1?q=a%26b"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("moved", "sends us elsewhere, and we do not follow"),
        ("busy", "asks to wait"),
        ("broken", "has a fault (503)"),
        ("html", "did not answer with JSON"),
        ("nested", "did not answer with JSON"),
        ("packed", "did not answer with JSON"),
        ("longer", "answered with more than 64 kB"),
        ("endless", "answered with more than 64 kB"),
    ],
)
async def test_no_usable_answer_is_said_once_asked(service, path, said):
    assert await refused(f"{service.url}/{path}?secret=hush") == f"127.0.0.1 {said}"
    assert [request.path for request in service.asked] == [f"/{path}"]


async def test_a_connection_that_breaks_is_said(service):
    said = await refused(service.url + "/cut")
    assert said == "127.0.0.1 did not answer (ServerDisconnectedError)"


async def test_an_answer_may_have_64_kilobytes(service):
    async with open_outbound(LOCAL) as outbound:
        assert len((await outbound.get_json(service.url + "/long")).body) == MAX_BYTES - 2


async def test_an_answer_that_drips_is_left_in_time(service):
    said = await refused(service.url + "/dripping", within_s=0.3)
    assert said == "127.0.0.1 did not answer within 0.3 s"


async def test_nobody_there_is_said(unused_tcp_port):
    said = await refused(f"http://127.0.0.1:{unused_tcp_port}/")
    assert said.startswith("127.0.0.1 did not answer (")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://tracker.example/", "tracker.example is not asked: its URL is not https"),
        ("file:///etc/passwd", "a URL in the configuration has no host, or a password"),
        ("file://localhost/etc/passwd", "localhost is not asked: its URL is not https"),
        ("gopher://tracker.example/", "tracker.example is not asked: its URL is not https"),
        ("tracker.example/x", "a URL in the configuration has no host, or a password"),
        ("https://me:hush@tracker.example/", "a URL in the configuration has no host, or a pass"),
        ("https://good.example@127.0.0.1/", "a URL in the configuration has no host, or a pass"),
        ("https://tracker.example:99999/", "a URL in the configuration is not one"),
    ],
)
async def test_only_https_urls_are_asked(url, said):
    assert (await refused(url, frozenset())).startswith(said)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.8",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[64:ff9b::169.254.169.254]",
    ],
)
async def test_an_address_that_is_not_public_is_not_asked(host):
    said = await refused(f"https://{host}/", frozenset())
    assert "its address is private" in said


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.01"])
async def test_an_address_in_an_unusual_spelling_is_not_asked(host):
    said = await refused(f"https://{host}/", frozenset())
    assert "is not asked" in said


async def test_a_name_with_a_private_address_is_not_connected_to(service):
    port = service.url.rpartition(":")[2]
    for turn in (["127.0.0.1"], ["::ffff:127.0.0.1"], ["93.184.215.14", "127.0.0.1"]):
        said = await refused(f"https://tracker.test:{port}/", frozenset(), names=Names(turn))
        assert "tracker.test is not asked: its address is private" in said
    assert service.asked == []


async def test_a_listed_name_may_have_a_private_address_and_speak_plain_http(service):
    async with open_outbound(NAMED, names=Names(["127.0.0.1"])) as outbound:
        assert (await outbound.get_json(service.named + "/json")).status == 200
        assert service.asked[0].host.startswith("tracker.test")


async def test_a_listed_name_in_capitals_is_the_same_name(service):
    listed = frozenset({"Tracker.Test"})
    async with open_outbound(listed, names=Names(["127.0.0.1"])) as outbound:
        url = service.named.replace("tracker.test", "TRACKER.test") + "/json"
        assert (await outbound.get_json(url)).status == 200


async def test_a_name_is_looked_up_once_for_a_connection(service):
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    async with open_outbound(NAMED, names=names) as outbound:
        await outbound.get_json(service.named + "/json")
    assert names.asked == 1


async def test_a_name_that_nobody_knows_is_said():
    said = await refused("https://tracker.test/", frozenset(), names=Names(None))
    assert said == "tracker.test did not answer (ClientConnectorDNSError)"


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    service = Service()
    async with served(service, ssl=own_certificate(tmp_path)) as server:
        said = await refused(
            f"https://tracker.test:{server.port}/json", NAMED, names=Names(["127.0.0.1"])
        )
    assert said == "tracker.test did not answer (ClientConnectorCertificateError)"
    assert service.asked == []


def own_certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tracker.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("tracker.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "own.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
