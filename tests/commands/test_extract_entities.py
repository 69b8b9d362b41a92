"""The command extract_entities: a table of findings beside a store, by the phrase table or by a model's answers."""

import json

import numpy as np
import pytest

from cgdmer_jax.commands import extract_entities
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.entity_tables import by_phrases, read_entities
from cgdmer_jax.data.text.entities import PRESENT, UNCERTAIN, shipped_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop import chat_endpoint
from cgdmer_jax.interop.chat_endpoint import endpoint_at
from cgdmer_jax.recipes.model_entities import by_model
from tests.data.small_stores import write_store
from tests.stub_endpoint import Reply, findings, is_second, report_of, said, serving

REPORTS = ["sinus rhythm. normal ecg", None, "possible lvh", "kein vorhofflimmern", "sinus rhythm. normal ecg", "sb"]
DISTINCT = {report for report in REPORTS if report}
TABLE = shipped_table()
SECRET = "sk-very-secret"


@pytest.fixture
def store(tmp_path):
    return write_store(tmp_path / "store", REPORTS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(chat_endpoint, "FIRST_WAIT_S", 0.01)


def extracted(store, stub=None, *more):
    model = ["--endpoint", stub.url, "--model", "m", "--at_once", "2"] if stub else []
    return extract_entities.main([f"--store={store}", *model, *more])


def findings_of(store, extraction):
    """Report -> entity -> value, of the entities that are mentioned."""
    corpus = open_corpus(store.split(","))
    table = read_entities(corpus, extraction, "the command")
    assert (table.dtype, table.shape) == (np.int8, (len(corpus.texts), len(TABLE.keys)))
    return {
        text: {TABLE.keys[n]: int(row[n]) for n in np.flatnonzero(row)}
        for text, row in zip(corpus.texts, table, strict=True)
    }


def by_stub(stub):
    return by_model(TABLE, endpoint_at(stub.url, "m", None))


def honest(request):
    """A model that reads what is there, and drops in the second pass what it made up in the first."""
    known = {"sinus rhythm. normal ecg": ["sinus_rhythm", "normal_ecg"], "sb": []}
    report = report_of(request)
    if report == "possible lvh":
        return findings(uncertain=["left_ventricular_hypertrophy"], present=[] if is_second(request) else ["rbbb"])
    return findings(present=known.get(report, []), absent=["atrial_fibrillation"] if "kein" in report else [])


def test_the_phrase_table_is_kept_beside_each_store_and_found_again(store, tmp_path, capsys):
    other = write_store(tmp_path / "other", ["possible lvh", "lbbb"], name="ptbxl")
    out = tmp_path / "counts.json"
    assert extracted(f"{store},{other}", None, f"--out={out}") == 0
    assert "left_ventricular_hypertrophy" in capsys.readouterr().out
    both = findings_of(f"{store},{other}", by_phrases(TABLE))
    assert both == findings_of(store, by_phrases(TABLE)) | findings_of(other, by_phrases(TABLE))
    assert both["possible lvh"] == {"left_ventricular_hypertrophy": UNCERTAIN}
    assert both["sb"] == {}
    counts = {row["entity"]: row for row in json.loads(out.read_text())["rows"]}
    assert list(counts) == list(TABLE.keys)
    row = counts["left_ventricular_hypertrophy"]
    assert (row["texts"], row["present"], row["absent"], row["uncertain"]) == (5, 0, 0, 1)
    assert row["version"] == TABLE.version
    assert "possible" not in out.read_text()  # no report's text


def test_a_store_without_the_table_is_refused_with_the_command(store):
    with pytest.raises(CgdmerError, match=r"has no findings .*; make it with the command"):
        findings_of(store, by_phrases(TABLE))


def test_a_table_of_another_version_or_damaged_is_refused(store):
    extracted(store)
    with pytest.raises(CgdmerError, match="no findings"):
        findings_of(store, by_phrases(TABLE)._replace(version="0"))
    path = by_phrases(TABLE).path(open_corpus([store]).stores[0])
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(CgdmerError, match="differs from what was written"):
        findings_of(store, by_phrases(TABLE))


def test_a_model_is_asked_twice_about_each_distinct_report_and_what_it_takes_back_is_dropped(store):
    with serving(honest) as stub:
        assert extracted(store, stub) == 0
        assert findings_of(store, by_stub(stub)) == {
            "sinus rhythm. normal ecg": {"sinus_rhythm": PRESENT, "normal_ecg": PRESENT},
            "possible lvh": {"left_ventricular_hypertrophy": UNCERTAIN},
            "kein vorhofflimmern": {"atrial_fibrillation": -1},
            "sb": {},
        }
    first, second = ([report_of(r) for r in stub.asked if is_second(r) == which] for which in (False, True))
    assert sorted(first) == sorted(DISTINCT)
    assert sorted(second) == sorted(DISTINCT - {"sb"})  # there is nothing to verify
    assert all(
        set(TABLE.keys) <= set(r["body"]["messages"][0]["content"].replace(":", " ").split()) for r in stub.asked
    )


def test_what_was_answered_is_asked_no_more(store):
    with serving(honest) as stub:
        extracted(store, stub)
        n_asked = len(stub.asked)
        expected = findings_of(store, by_stub(stub))
        assert extracted(store, stub) == 0
        assert len(stub.asked) == n_asked
        assert findings_of(store, by_stub(stub)) == expected


def test_an_endpoint_that_goes_away_ends_the_work_and_the_same_command_goes_on(store, capsys):
    def away(request):
        return honest(request) if request["before"] < 4 else Reply(b"the report", 403)

    with serving(away) as stub:
        with pytest.raises(CgdmerError, match="status 403"):
            extracted(store, stub, "--at_once=1")
    answered = {report_of(request) for request in stub.asked[:4] if is_second(request)}
    assert answered
    with serving(honest) as again:
        assert extracted(store, again, "--at_once=1") == 0
        assert len(findings_of(store, by_stub(again))) == len(DISTINCT)
    assert not answered & {report_of(request) for request in again.asked}
    assert not any(report in "".join(capsys.readouterr()) for report in DISTINCT if len(report) > 3)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (said("I think it is normal"), "no JSON object"),
        (said('{"present": []}'), "no JSON object"),
        (findings(present=["made_up"]), "something else than the given entities"),
        (findings(present=["rbbb"], absent=["rbbb"]), r"an entity \(rbbb\) in two lists"),
        (Reply(b"<html>"), "no chat completion"),
    ],
)
def test_bad_answers_are_asked_for_again_then_named_and_never_made_up(store, reply, problem, capsys):
    def answer(request):
        return reply if report_of(request) == "possible lvh" else honest(request)

    with serving(answer) as stub:
        with pytest.raises(CgdmerError, match=rf"1 of 4 reports have no valid answer .*{problem}") as error:
            extracted(store, stub)
        assert sum(report_of(request) == "possible lvh" for request in stub.asked) == 3
        with pytest.raises(CgdmerError, match="no findings"):
            findings_of(store, by_stub(stub))
    assert "possible lvh" not in str(error.value) + "".join(capsys.readouterr())
    with serving(honest) as again:
        extracted(store, again)
        assert {report_of(request) for request in again.asked} == {"possible lvh"}


def test_a_fence_around_the_answer_is_no_fault(store):
    def fenced(request):
        content = json.loads(honest(request).body)["choices"][0]["message"]["content"]
        return said(f"```json\n{content}\n```")

    with serving(fenced) as stub:
        assert extracted(store, stub) == 0
        assert findings_of(store, by_stub(stub))["possible lvh"] == {"left_ventricular_hypertrophy": UNCERTAIN}


def test_a_cut_or_changed_line_of_the_answers_is_named_and_asked_about_again(store, capsys):
    with serving(honest) as stub:
        extracted(store, stub)
        (path,) = (open_corpus([store]).stores[0].path / "cache").glob("entity-answers-*.jsonl")
        assert not any(report in path.read_text() for report in DISTINCT if len(report) > 3)
        lines = [line for line in path.read_text().splitlines() if line]
        changed = lines[1].replace("[0", "[1", 1) if "[0" in lines[1] else lines[1].replace("[1", "[0", 1)
        path.write_text("\n".join([lines[0], changed, *lines[2:-1], lines[-1][:50]]))
        n_asked, expected = len(stub.asked), findings_of(store, by_stub(stub))
        assert extracted(store, stub) == 0
        assert "2 damaged line(s) are not read" in capsys.readouterr().out
        assert len({report_of(request) for request in stub.asked[n_asked:]}) == 2
        assert findings_of(store, by_stub(stub)) == expected


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(store, capsys, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    with serving(honest) as stub:
        assert extracted(store, stub, "--dry_run", "--key_variable=MY_KEY") == 0
        shown = capsys.readouterr().out
        assert stub.asked == []
        for words in (f"{stub.url}/chat/completions", "4 of 4 distinct reports", "8 questions", "key given"):
            assert words in shown
        assert sum(report in shown for report in DISTINCT) == 3
        assert SECRET not in shown
        extracted(store, stub, "--key_variable=MY_KEY")
        assert {request["headers"]["Authorization"] for request in stub.asked} == {f"Bearer {SECRET}"}
        assert SECRET not in "".join(capsys.readouterr())
        extracted(store, stub, "--dry_run")
        assert "0 of 4 distinct reports (4 are answered already)" in capsys.readouterr().out


def test_without_an_endpoint_nothing_is_sent(store, monkeypatch):
    monkeypatch.setattr(chat_endpoint, "ask", lambda *_: pytest.fail("something was asked"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    assert extracted(store) == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--endpoint=http://127.0.0.1:1/v1"], "--endpoint and --model belong together"),
        (["--model=m"], "--endpoint and --model belong together"),
        (["--dry_run"], "name it with --endpoint and --model"),
        (["--endpoint=nowhere", "--model=m"], "no address of the form"),
        (["--endpoint=http://127.0.0.1:1/v1", "--model=m", "--key_variable=NOT_SET"], "NOT_SET .* is empty or not set"),
        (["--at_once=0"], "--at_once is 0; give a number from 1 to 64"),
    ],
)
def test_requests_that_do_not_fit_are_refused(store, words, problem):
    with pytest.raises(CgdmerError, match=problem):
        extracted(store, None, *words)


def test_a_store_without_reports_is_refused(tmp_path):
    with pytest.raises(CgdmerError, match=r"no record of .* has a report"):
        extracted(write_store(tmp_path / "silent", [None, ""]))
