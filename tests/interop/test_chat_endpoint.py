"""Asking a language model: retried within bounds, redirected nowhere, and silent about what is sent."""

import json
import threading

import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop import chat_endpoint
from cgdmer_jax.interop.chat_endpoint import BadAnswerError, ask, endpoint_at
from tests.stub_endpoint import Reply, said, serving

SECRET = "sk-very-secret"
MESSAGES = [{"role": "user", "content": "the report of a patient"}]


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def asked_at(stub, key=None):
    """The answer, and how long was waited between tries."""
    waits = []
    return ask(endpoint_at(stub.url, "m", key), MESSAGES, waits.append), waits


def test_a_question_goes_to_chat_completions_with_model_and_key():
    with serving(lambda _: said("yes")) as stub:
        assert asked_at(stub, SECRET) == ("yes", [])
    (request,) = stub.asked
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["Authorization"] == f"Bearer {SECRET}"
    assert request["body"] == {"model": "m", "messages": MESSAGES, "temperature": 0}


def test_without_a_key_none_is_sent():
    with serving(lambda _: said("yes")) as stub:
        asked_at(stub)
    assert "Authorization" not in stub.asked[0]["headers"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_endpoint_is_asked_again_after_growing_waits(status):
    with serving(lambda request: said("yes") if request["before"] == 3 else Reply(b"busy", status)) as stub:
        assert asked_at(stub) == ("yes", [1.0, 2.0, 4.0])


def test_the_endpoints_own_wait_is_kept_up_to_a_bound():
    waits = iter(["7", "100000", "Wed, 21 Oct 2015 07:28:00 GMT"])

    def answer(request):
        return said("yes") if request["before"] == 3 else Reply(b"", 429, {"Retry-After": next(waits)})

    with serving(answer) as stub:
        assert asked_at(stub) == ("yes", [7.0, 60.0, 4.0])


def test_tries_are_bounded_and_neither_the_report_nor_the_key_is_told():
    with serving(lambda _: Reply(b"the report of a patient", 503)) as stub:
        with pytest.raises(CgdmerError, match=r"did not answer in 5 tries \(the last: status 503\)") as error:
            asked_at(stub, SECRET)
    assert len(stub.asked) == 5
    assert "patient" not in str(error.value) and SECRET not in str(error.value)


@pytest.mark.parametrize(("status", "remedy"), [(401, "--key_variable"), (404, "--model"), (400, "--model")])
def test_an_answer_that_will_not_change_is_not_asked_for_again(status, remedy):
    with serving(lambda _: Reply(b"the report of a patient", status)) as stub:
        with pytest.raises(CgdmerError, match=f"answers status {status}; .*{remedy}") as error:
            asked_at(stub, SECRET)
    assert len(stub.asked) == 1
    assert "patient" not in str(error.value) and SECRET not in str(error.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_nothing_goes_on(status):
    with serving(lambda _: said("yes")) as elsewhere:
        moved = {"Location": f"{elsewhere.url}/chat/completions"}
        with serving(lambda _: Reply(b"", status, moved)) as stub:
            with pytest.raises(CgdmerError, match="moves elsewhere"):
                asked_at(stub, SECRET)
    assert elsewhere.asked == []


def test_an_answer_cut_short_and_a_server_that_is_not_there_are_tried_again_and_named():
    with serving(lambda request: said("yes") if request["before"] else Reply(b"{", promised=100)) as stub:
        assert asked_at(stub) == ("yes", [1.0])
    with pytest.raises(CgdmerError, match=r"5 tries .*refused"):  # the server has ended
        asked_at(stub)


def test_a_server_that_does_not_answer_in_time_is_named(monkeypatch):
    monkeypatch.setattr(chat_endpoint, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(chat_endpoint, "TRIES", 2)
    late = threading.Event()

    def answer(_):
        late.wait(20)
        return said("too late")

    with serving(answer) as stub:
        with pytest.raises(CgdmerError, match=r"2 tries .*timed out"):
            asked_at(stub)
        late.set()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"choices": []}', json.dumps({"choices": [{"message": {"content": None}}]}).encode()],
)
def test_what_is_no_chat_completion_is_a_bad_answer(body):
    with serving(lambda _: Reply(body)) as stub:
        with pytest.raises(BadAnswerError, match="no chat completion"):
            asked_at(stub)


def test_an_answer_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(chat_endpoint, "MOST_BYTES", 100)
    with serving(lambda _: said("x" * 200)) as stub:
        with pytest.raises(BadAnswerError, match="more than 100 bytes"):
            asked_at(stub)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("127.0.0.1:8000/v1", "no address"),
        ("file:///etc/passwd", "no address"),
        ("ftp://host/v1", "no address"),
        ("http://", "no address"),
        ("http://host:port/v1", "no address"),
        ("http://[::1/v1", "no address"),
        ("https://me:secret@host/v1", "name, a password or a query"),
        ("https://host/v1?key=secret", "name, a password or a query"),
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_and_not_repeated(url, problem):
    with pytest.raises(CgdmerError, match=problem) as error:
        endpoint_at(url, "m", None)
    assert "secret" not in str(error.value)


def test_what_could_be_read_on_its_way_is_known_and_a_key_is_never_shown():
    assert endpoint_at("http://elsewhere/v1", "m", None).is_open
    assert not endpoint_at("http://127.0.0.1:1/v1", "m", None).is_open
    assert not endpoint_at("https://elsewhere/v1/", "m", None).is_open
    assert endpoint_at("https://elsewhere/v1/", "m", None).url == "https://elsewhere/v1/chat/completions"
    assert endpoint_at("https://e/v1/chat/completions", "m", None).url == "https://e/v1/chat/completions"
    assert SECRET not in f"{endpoint_at('https://e/v1', 'm', SECRET)!r} {endpoint_at('https://e/v1', 'm', SECRET)}"


def test_a_proxy_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert endpoint_at("https://elsewhere/v1", "m", None).proxy == "proxy.example"
    assert endpoint_at("http://127.0.0.1/v1", "m", None).proxy is None
