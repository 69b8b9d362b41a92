"""A language model behind any OpenAI-compatible endpoint: POST of chat completions, retried within bounds.

Nothing that is sent or answered stands in an error: it may be a patient's report.
"""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError, reason_of

PATH = "/chat/completions"
TIMEOUT_S = 120.0
TRIES = 5  # of one question, while the endpoint is busy or away
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
PASSING = {408, 409, 425, 429, 500, 502, 503, 504}  # answers after which another try may do
MOST_BYTES = 1 << 20  # of an answer
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class BadAnswerError(CgdmerError):
    """The endpoint answered, but not in the form that was asked for."""


class Endpoint(NamedTuple):
    """Where a model is asked, and as whom."""

    url: str  # with PATH
    model: str
    key: str | None  # never printed

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {self.model!r}, key={'given' if self.key else None})"

    @property
    def is_open(self) -> bool:
        """Whether what is sent could be read on its way."""
        parts = urllib.parse.urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in LOOPBACK

    @property
    def proxy(self) -> str | None:
        """Host of the proxy that the environment puts between."""
        parts = urllib.parse.urlsplit(self.url)
        proxy = urllib.request.getproxies().get(parts.scheme)
        if not proxy or urllib.request.proxy_bypass(parts.netloc):
            return None
        return urllib.parse.urlsplit(proxy).hostname or proxy


def endpoint_at(url: str, model: str, key: str | None) -> Endpoint:
    """The endpoint whose base (http://127.0.0.1:8000/v1) or whole address a user gave."""
    try:
        parts = urllib.parse.urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:  # brackets of no IPv6 address, a port that is no number
        fits = False
    if not fits:
        raise CgdmerError("--endpoint is no address of the form https://host/v1; give the one that serves the model")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CgdmerError(
            "--endpoint holds a name, a password or a query, and addresses are recorded; give the bare address, and a "
            "key by --key_variable"
        )
    bare = url.rstrip("/")
    return Endpoint(bare if bare.endswith(PATH) else bare + PATH, model, key)


def ask(endpoint: Endpoint, messages: Sequence[dict[str, str]], sleep: Callable[[float], object] = time.sleep) -> str:
    """Text of the model's answer at temperature 0; raises CgdmerError when there is none."""
    body = json.dumps({"model": endpoint.model, "messages": list(messages), "temperature": 0}).encode()
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    request = urllib.request.Request(endpoint.url, body, headers, method="POST")
    wait = FIRST_WAIT_S
    for tries in range(1, TRIES + 1):
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as response:
                answer = response.read(MOST_BYTES + 1)
                if len(answer) <= MOST_BYTES and response.length:  # bytes that were promised and did not come
                    raise http.client.IncompleteRead(b"")
                return _content(answer)
        except urllib.error.HTTPError as error:
            error.close()
            problem, asked_to_wait = f"status {error.code}", error.headers.get("Retry-After")
            if error.code not in PASSING:
                raise CgdmerError(f"{endpoint.url} answers {problem}; {_remedy(error.code)}") from None
        except (OSError, http.client.HTTPException) as error:  # no connection, a timeout, an answer cut short
            cause = getattr(error, "reason", error)  # of a URLError, another error or a sentence
            problem = reason_of(cause) if isinstance(cause, Exception) else str(cause)
            problem, asked_to_wait = problem or type(error).__name__, None
        if tries < TRIES:
            sleep(min(_seconds(asked_to_wait) or wait, LONGEST_WAIT_S))
            wait *= 2
    raise CgdmerError(
        f"{endpoint.url} did not answer in {TRIES} tries (the last: {problem}); see that it runs and is not asked too "
        "often, and run the same command again: what was answered is kept"
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Reports and keys go to the named address alone."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _content(answer: bytes) -> str:
    if len(answer) > MOST_BYTES:
        raise BadAnswerError(f"the answer has more than {MOST_BYTES} bytes; see what serves the model")
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        content = None
    if not isinstance(content, str):
        raise BadAnswerError("the answer is no chat completion; see what serves the model")
    return content


def _seconds(header: str | None) -> float | None:
    """The wait that a Retry-After in seconds asks for; its other form, a date, is not used."""
    return float(header) if header and header.isdecimal() else None


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "name the environment variable of its key with --key_variable"
    if 300 <= status < 400:
        return "it moves elsewhere, and nothing is sent on: give the new address as --endpoint"
    return "see that the address and --model are those of an OpenAI-compatible server"
