"""Questions that a language model is asked about a report, and its answers, checked."""

import json
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int8

from cgdmer_jax.data.text.entities import STATES, EntityTable
from cgdmer_jax.interop.chat_endpoint import BadAnswerError

PROMPT_VERSION = "1"  # raise it with any change of the questions
STATE_OF = {name: value for value, name in STATES.items()}
READ = """You read reports of electrocardiograms, in English, German or any other language. State which of the \
entities listed below a report says are present, absent or uncertain. Present: the report affirms it. Absent: the \
report denies it. Uncertain: the report calls it possible, probable, suspected or not excluded, or leaves it open \
between several. Do not conclude anything that the report does not say. An entity that it does not mention is in no \
list.
Answer with one JSON object and nothing else: {"present": [...], "absent": [...], "uncertain": [...]}, each a list of \
keys from this list.
"""
VERIFY = """Below are a report and the findings that another reader took from it. Check each against the report: keep \
those that the report states, in the list where they belong, and drop those that it does not state. Add none. Answer \
with one JSON object of the same form.
"""


def question(table: EntityTable, report: str) -> list[dict[str, str]]:
    """The first question: what does the report state?"""
    return [_system(table), {"role": "user", "content": report}]


def second_question(table: EntityTable, report: str, findings: Int8[np.ndarray, "entity"]) -> list[dict[str, str]]:
    """The second: is each of these findings stated?"""
    claimed = {
        name: [key for key, value in zip(table.keys, findings, strict=True) if value == state]
        for state, name in STATES.items()
    }
    return [_system(table), {"role": "user", "content": f"{VERIFY}Report:\n{report}\nFindings:\n{json.dumps(claimed)}"}]


def parsed(table: EntityTable, answer: str) -> Int8[np.ndarray, "entity"]:
    """Findings of an answer; raises BadAnswerError where it is not what was asked for."""
    start, end = answer.find("{"), answer.rfind("}")  # models like to put a fence of ``` around it
    try:
        lists = json.loads(answer[start : end + 1])
    except (ValueError, RecursionError):
        lists = None
    if not isinstance(lists, Mapping) or set(lists) != set(STATE_OF):
        raise BadAnswerError("the answer is no JSON object of present, absent and uncertain")
    number_of = {key: number for number, key in enumerate(table.keys)}
    findings = np.zeros(len(table.keys), np.int8)
    for name, keys in lists.items():
        if not isinstance(keys, list) or not all(isinstance(key, str) and key in number_of for key in keys):
            raise BadAnswerError(f"the answer has a list ({name}) of something else than the given entities")
        for key in keys:
            if findings[number_of[key]] not in (0, STATE_OF[name]):
                raise BadAnswerError(f"the answer puts an entity ({key}) in two lists")
            findings[number_of[key]] = STATE_OF[name]
    return findings


def agreed(first: Int8[np.ndarray, "entity"], second: Int8[np.ndarray, "entity"]) -> Int8[np.ndarray, "entity"]:
    """Findings that both passes state alike; what only one of them says is not mentioned."""
    return np.where(first == second, first, 0).astype(np.int8)


def _system(table: EntityTable) -> dict[str, str]:
    listed = "\n".join(f"{entity.key}: {entity.name}" for entity in table.entities)
    return {"role": "system", "content": READ + listed}
