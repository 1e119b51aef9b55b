from pathlib import Path
from time import process_time

import pytest

from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.web.sessions import SESSION_SECONDS, Sessions
from tests.gateway.clock import Clock


def context(cookie: str = "", scheme: str = "http", **headers: str) -> RequestContext:
    given = {"cookie": cookie, **headers}
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    return RequestContext({"type": "http", "scheme": scheme, "headers": fields}, "r")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.sqlite")


def started(store: KeyStore, clock: Clock) -> tuple[Sessions, KeyCache, str]:
    made = store.create("mine")
    cache = KeyCache(store)
    cache.refresh()
    key = cache.find(made.key)
    assert key is not None
    sessions = Sessions(cache, clock)
    header = sessions.cookie(key, context())[1].decode()
    return sessions, cache, header.split(";")[0]


def test_a_session_has_the_key_that_started_it(store: KeyStore, clock: Clock) -> None:
    sessions, _, cookie = started(store, clock)
    found = sessions.find(context(f"other=1; {cookie}"))
    assert found is not None
    assert found.name == "mine"


def test_a_session_ends(store: KeyStore, clock: Clock) -> None:
    sessions, _, cookie = started(store, clock)
    clock.now += SESSION_SECONDS - 1
    key = sessions.find(context(cookie))
    assert key is not None
    clock.now += 1
    assert sessions.find(context(cookie)) is None


def test_a_revoked_key_ends_its_sessions(store: KeyStore, clock: Clock) -> None:
    sessions, cache, cookie = started(store, clock)
    store.revoke(cookie.partition("=")[2].partition(".")[0])
    cache.refresh()
    assert sessions.find(context(cookie)) is None


def test_a_forged_cookie_is_refused(store: KeyStore, clock: Clock) -> None:
    sessions, _, cookie = started(store, clock)
    other = store.create("other")
    key_id, expires, signature = cookie.partition("=")[2].split(".")
    later = str(int(expires) + 1)
    for value in (
        f"{key_id}.{later}.{signature}",
        f"{other.id}.{expires}.{signature}",
        f"{key_id}.{expires}.{signature[:-1]}x",
        f"{key_id}.{expires}.",
        f"{key_id}..{signature}",
        f"{key_id}.\u0661.{signature}".encode().decode("latin-1"),
        "x",
        "",
    ):
        assert sessions.find(context(f"pokewatch_session={value}")) is None, value
    assert sessions.find(context("")) is None
    assert sessions.find(context("=;;==")) is None


@pytest.mark.parametrize("text", ['\\"', "\\\\", "\\001", ";", "; ", " "], ids=repr)
def test_cookies_of_any_form_take_no_time(store: KeyStore, clock: Clock, text: str) -> None:
    """Whoever has no key may send them: 62 KB of backslashes took half a minute."""
    sessions, _, cookie = started(store, clock)
    long = text * (20_000 // len(text))
    began = process_time()
    assert sessions.find(context(f'other="{long}"')) is None
    assert sessions.find(context(f'pokewatch_session="{long}"')) is None
    assert sessions.find(context(f'other="{long}";\t{cookie} ; more="{long}"')) is not None
    assert process_time() - began < 0.5


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    store: KeyStore, clock: Clock
) -> None:
    sessions, cache, cookie = started(store, clock)
    key = cache.by_id(cookie.partition("=")[2].partition(".")[0])
    assert key is not None
    plain = sessions.cookie(key, context())[1]
    assert b"HttpOnly; SameSite=Lax" in plain
    assert b"Secure" not in plain
    assert sessions.cookie(key, context(x_forwarded_proto="https"))[1].endswith(b"; Secure")
    assert sessions.cookie(key, context(scheme="https"))[1].endswith(b"; Secure")
    assert b"Max-Age=0" in sessions.ended(context())[1]


@pytest.mark.parametrize("host", ["cards.example", "127.0.0.1:{}", "[::1]:{}", "cards.example:{}"])
def test_gateways_on_two_ports_of_a_host_have_their_own_sessions(
    store: KeyStore, clock: Clock, host: str
) -> None:
    sessions, cache, cookie = started(store, clock)
    key = cache.by_id(cookie.partition("=")[2].partition(".")[0])
    assert key is not None
    one, other = (context(host=host.format(port)) for port in (8000, 8010))
    names = [sessions.cookie(key, each)[1].partition(b"=")[0] for each in (one, other)]
    same = "{" not in host  # a port that is not named is that of the scheme
    assert (names[0] == names[1]) is same
    value = cookie.partition("=")[2]
    both = f"{names[0].decode()}={value}; {names[1].decode()}=of.another.gateway"
    assert (sessions.find(context(both, host=host.format(8000))) is None) is same
    assert sessions.find(context(both, host=host.format(8010))) is None


@pytest.mark.parametrize(
    ("values", "secure"),
    [
        (["https"], True),
        (["https", "https"], True),
        (["https", "http"], True),
        (["https, http"], True),
        (["http", "https"], False),
    ],
)
def test_the_cookie_is_secure_behind_several_proxies(
    store: KeyStore, clock: Clock, values: list[str], secure: bool
) -> None:
    sessions, _, _ = started(store, clock)
    lines = [(b"x-forwarded-proto", value.encode()) for value in values]
    asked = RequestContext({"type": "http", "scheme": "http", "headers": lines}, "r")
    assert (b"; Secure" in sessions.ended(asked)[1]) is secure
