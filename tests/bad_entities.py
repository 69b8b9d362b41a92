"""Requests to `extract_entities` that cannot be met, given to the real command."""

from pathlib import Path

from cgdmer_jax.commands import extract_entities
from tests.bad_runs import REPORTS
from tests.data.small_stores import write_store
from tests.outcome import Outcome, run
from tests.stub_endpoint import Reply, said, serving

SHOWN = "http://127.0.0.1:8000/v1"  # in place of the stub's, whose port is another each time


def model_at(url: str, *more: str, folder: Path) -> Outcome:
    """The command with a language model at that address."""
    store = write_store(folder / "store", REPORTS)
    return run(extract_entities.main, [f"--store={store}", f"--endpoint={url}", "--model=m", "--at_once=1", *more])


def answered(reply: Reply, folder: Path) -> Outcome:
    """The command with a language model that answers every question so."""
    with serving(lambda _: reply) as stub:
        code, sentence = model_at(stub.url, folder=folder)
    return Outcome(code, sentence.replace(stub.url, SHOWN))


def no_address(folder: Path) -> Outcome:
    return model_at("127.0.0.1:8000/v1", folder=folder)


def key_not_set(folder: Path) -> Outcome:
    return model_at(SHOWN, "--key_variable=KEY_THAT_IS_NOT_SET", folder=folder)


def key_wanted(folder: Path) -> Outcome:
    return answered(Reply(b"unauthorised", 401), folder)


def moved(folder: Path) -> Outcome:
    return answered(Reply(b"", 307, {"Location": "http://127.0.0.1:9/v1"}), folder)


def chatter(folder: Path) -> Outcome:
    return answered(said("This looks like a normal ECG."), folder)
