"""Findings of reports by a language model that the user names: asked twice, kept as answered, never made up."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
from jaxtyping import Int8

from cgdmer_jax.data.entity_tables import Extraction
from cgdmer_jax.data.store.store import Store
from cgdmer_jax.data.text.entities import EntityTable
from cgdmer_jax.data.text_cache import CACHE
from cgdmer_jax.errors import CgdmerError, visible
from cgdmer_jax.interop.chat_endpoint import BadAnswerError, Endpoint, ask
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes.entity_questions import PROMPT_VERSION, agreed, parsed, question, second_question
from cgdmer_jax.recipes.model_answers import AnswerFile

ANSWER_TRIES = 3  # of a question whose answer is not in the form that was asked for
SHOWN = 3  # texts that a dry run shows
MOST_WITHOUT = 50  # reports without a valid answer, after which no more are asked about


def by_model(table: EntityTable, endpoint: Endpoint) -> Extraction:
    """The findings that this model reads; its address decides nothing."""
    return Extraction(endpoint.model, PROMPT_VERSION, table.sha256)


def answers_of(store: Store, extraction: Extraction, table: EntityTable) -> AnswerFile:
    """The answers kept beside a store."""
    asked = "\n".join(extraction)
    name = f"entity-answers-{hashlib.sha256(asked.encode()).hexdigest()[:12]}.jsonl"
    return AnswerFile(store.path / CACHE / name, asked, len(table.keys))


def extract_by_model(
    table: EntityTable, endpoint: Endpoint, texts: Sequence[str], answers: AnswerFile, at_once: int
) -> Int8[np.ndarray, "text entity"]:
    """Findings of each text. Raises CgdmerError, once the others are kept, where some have no valid answer."""
    unasked = [number for number, text in enumerate(texts) if text not in answers]
    without: dict[int, str] = {}
    ended = threading.Event()  # Ctrl-C and errors end the waits of what is under way
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="ask")
    try:
        running = {pool.submit(_findings, table, endpoint, texts[number], ended.wait): number for number in unasked}
        with progress_bar(len(texts), "report", f"ask {endpoint.model}", done=len(texts) - len(unasked)) as bar:
            for future in as_completed(running):
                number = running[future]
                try:
                    answers.add(texts[number], future.result())
                except BadAnswerError as error:
                    without[number] = str(error)
                    if len(without) == MOST_WITHOUT:  # it will not do better with the others
                        break
                bar.update(1)
    finally:
        ended.set()
        pool.shutdown(wait=True, cancel_futures=True)
    if without:
        number = min(without)
        raise CgdmerError(
            f"{len(without)} of {len(texts)} reports have no valid answer after {ANSWER_TRIES} tries each (the first, "
            f"text {number}: {without[number]}); run the same command again, which keeps what was answered, or take "
            "another --model"
        )
    return np.stack([answers[text] for text in texts])


def planned(table: EntityTable, endpoint: Endpoint, texts: Sequence[str], answers: AnswerFile) -> str:
    """A dry run in words: what would be sent where. Holds report texts: for the user's own screen alone."""
    unasked = [text for text in texts if text not in answers]
    shown = [question(table, text) for text in unasked[:SHOWN]]
    letters = sum(len(shown[0][0]["content"]) + len(text) for text in unasked)
    way = " over HTTP, which can be read on its way" if endpoint.is_open else ""
    lines = [
        f"would be sent to {endpoint.url}{way}, model {endpoint.model}, key {'given' if endpoint.key else 'none'}:",
        f"  {len(unasked)} of {len(texts)} distinct reports ({len(texts) - len(unasked)} are answered already), each "
        f"twice: {2 * len(unasked)} questions, {letters:,} characters in the first pass",
        *([f"  through the proxy {endpoint.proxy}"] if endpoint.proxy else []),
    ]
    if shown:
        lines += [f"with each report: {visible(shown[0][0]['content'])}", f"the first {len(shown)} reports:"]
        lines += [f"  {visible(messages[-1]['content'])}" for messages in shown]
    return "\n".join([*lines, "nothing was sent"])


Sleep = Callable[[float], object]


def _findings(table: EntityTable, endpoint: Endpoint, text: str, sleep: Sleep) -> Int8[np.ndarray, "entity"]:
    first = _answered(table, endpoint, question(table, text), sleep)
    if not first.any():
        return first  # nothing to verify
    return agreed(first, _answered(table, endpoint, second_question(table, text, first), sleep))


def _answered(
    table: EntityTable, endpoint: Endpoint, messages: list[dict[str, str]], sleep: Sleep
) -> Int8[np.ndarray, "entity"]:
    for _ in range(ANSWER_TRIES - 1):
        with contextlib.suppress(BadAnswerError):
            return parsed(table, ask(endpoint, messages, sleep))
    return parsed(table, ask(endpoint, messages, sleep))
