"""adapt_text on a table of reports: goes on where it stopped, learns, and writes what others read."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.commands.adapt_text import main
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.report_texts import ReportTexts, of_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes import training_run
from cgdmer_jax.training.log import untimed
from tests.data.small_stores import write_store
from tests.interop.tower_folder import without_pooler, write_t5, write_tower

WORDS = "sinus rhythm left axis normal ecg old infarction".split()
ROWS = [(n % 10 + 1, " ".join(WORDS[(n * k) % 8] for k in range(1, 2 + n % 5))) for n in range(200)]
SMALL = ["--config.optimizer.steps=6", "--config.data.batch_size=8", "--config.data.max_tokens=8"]
SMALL += ["--config.run.validate_every=3", "--config.run.checkpoint_every=2", "--config.run.log_every=1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """PTB-XL's table of reports alone, its two columns that count."""
    folder = tmp_path_factory.mktemp("ptbxl")
    header = "ecg_id,patient_id,age,sex,device,report,scp_codes,strat_fold,filename_lr,filename_hr"
    lines = [f"{n},{n},,,,{report},,{fold},," for n, (fold, report) in enumerate(ROWS)]
    (folder / "ptbxl_database.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    return write_tower(tmp_path_factory.mktemp("tower") / "bert", [" ".join(WORDS)] * 3)


@pytest.fixture(scope="module")
def adapted(table, tower, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "adapted"
    words = [f"--reports={table}", f"--text={tower}", f"--workdir={workdir}", *SMALL]
    assert main([*words, "--config.optimizer.learning_rate=0.02"]) == 0
    return workdir


def curve(workdir):
    return [untimed(r) for r in read_metrics(workdir / "metrics.jsonl")]


def test_held_out_texts_are_those_of_no_training_record(tmp_path):
    store = write_store(tmp_path / "s", [report for _, report in ROWS])
    texts = of_corpus(open_corpus([store]))
    in_train = {report for fold, report in ROWS if fold <= 8}
    in_validation = {report for fold, report in ROWS if fold == 9}
    assert [texts.texts[line] for line in texts.training] == sorted(in_train)
    assert [texts.texts[line] for line in texts.held_out] == sorted(in_validation - in_train)
    with pytest.raises(CgdmerError, match="2 distinct reports in the training split and 0 others in the validation"):
        ReportTexts(["a", "b", "a"], ["b"], "x")


def test_perplexity_before_and_after_is_told_and_falls(adapted):
    before, after = json.loads((adapted / "adaptation.json").read_text())["rows"]
    assert (before["when"], before["step"], after["when"], after["step"]) == ("before", 0, "after", 6)
    assert before["perplexity"] == pytest.approx(np.exp(before["loss"])) and after["loss"] < before["loss"]
    validated = [r for r in read_metrics(adapted / "metrics.jsonl") if "validation_loss" in r]
    assert [r["step"] for r in validated] == [0, 3, 6]


def test_the_folder_holds_the_adapted_encoder_for_us_and_for_transformers(adapted, tower):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    first, ours = load_text_encoder(tower), load_text_encoder(adapted / "tower")
    assert not np.array_equal(first.params["blocks"]["up"]["kernel"], ours.params["blocks"]["up"]["kernel"])
    np.testing.assert_array_equal(first.params["pool"]["kernel"], ours.params["pool"]["kernel"])  # never read
    ids = ours.tokenizer.encode("sinus rhythm normal ecg").ids
    assert ids == first.tokenizer.encode("sinus rhythm normal ecg").ids
    theirs = transformers.AutoModel.from_pretrained(adapted / "tower").eval()
    with torch.no_grad():
        expected = theirs(input_ids=torch.tensor([ids])).last_hidden_state.numpy()
    params = jax.device_put(ours.params)
    found = ours.module.apply({"params": params}, jnp.array([ids], jnp.int32), jnp.array([len(ids)]))
    np.testing.assert_allclose(found.tokens, expected, rtol=1e-4, atol=1e-5)


def test_stopped_after_any_step_the_same_command_ends_with_the_same_bits(adapted, table, tower, tmp_path, monkeypatch):
    """The folder of the first weights is needed no more once the run has begun."""
    copied = tmp_path / "bert"
    copied.symlink_to(tower)
    words = [f"--reports={table}", f"--text={copied}", f"--workdir={tmp_path / 'run'}", *SMALL]
    words.append("--config.optimizer.learning_rate=0.02")
    real = training_run.loop.train

    def stopped(state, *rest, stop, **more):
        def batches(first, last):
            for number, batch in enumerate(rest[1](first, last), start=first):
                stop.is_set = number >= 2  # read after the step of that batch
                yield batch

        return real(state, rest[0], batches, *rest[2:], stop=stop, **more)

    monkeypatch.setattr(training_run.loop, "train", stopped)
    assert main(words) == 75
    monkeypatch.undo()
    copied.unlink()
    assert main(words) == 0
    assert curve(tmp_path / "run") == curve(adapted)
    one, other = ((run / "tower/model.safetensors").read_bytes() for run in (adapted, tmp_path / "run"))
    assert one == other


def test_other_reports_are_refused_when_a_run_goes_on(adapted, tower, table, tmp_path):
    (tmp_path / "ptbxl_database.csv").write_text((table / "ptbxl_database.csv").read_text().replace("sinus", "sinuses"))
    words = [f"--text={tower}", f"--workdir={adapted}", *SMALL, "--config.optimizer.learning_rate=0.02"]
    with pytest.raises(CgdmerError, match="reports_sha256: "):
        main([*words, f"--reports={tmp_path}"])


def test_a_folder_of_something_else_is_refused_before_anything_is_trained(table, tower, tmp_path):
    words = [f"--reports={table}", f"--text={tower}", f"--workdir={tmp_path / 'run'}", *SMALL]
    for out in (tmp_path, tower):
        with pytest.raises(CgdmerError, match="exists already; name a new folder"):
            main([*words, f"--out={out}"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["t5", "bert without pooler"])
def test_two_steps_with_an_encoder_that_has_no_pooler_end_with_one_that_moved(kind, table, tmp_path):
    """T5 has no mask token either: `<extra_id_0>` stands for hidden words."""
    folder = tmp_path / "first"
    first = write_t5(folder, WORDS) if kind == "t5" else without_pooler(write_tower(folder, [" ".join(WORDS)] * 3))
    words = [f"--reports={table}", f"--text={first}", f"--workdir={tmp_path / 'run'}", *SMALL]
    assert main([*words, "--config.optimizer.steps=2", "--config.optimizer.learning_rate=0.02"]) == 0
    losses = [record["loss"] for record in read_metrics(tmp_path / "run/metrics.jsonl") if "loss" in record]
    assert len(losses) == 2 and np.isfinite(losses).all()
    before, after = load_text_encoder(first), load_text_encoder(tmp_path / "run/tower")
    assert after.module == before.module
    hidden = "<extra_id_0>" if kind == "t5" else "[MASK]"
    row = before.tokenizer.token_to_id(hidden)
    assert not np.array_equal(after.params["token"][row], before.params["token"][row])  # it stood in the texts
    config = json.loads((tmp_path / "run/config.json").read_text())["method"]["text_architecture"]
    assert config["mask_id"] == row and row in config["special_ids"]
