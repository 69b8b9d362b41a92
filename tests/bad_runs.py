"""Bad requests to train, and run folders that are not whole; a toy method trains in a second."""

import contextlib
import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from cgdmer_jax.commands import evaluate, export_model, finetune, pretrain, report
from cgdmer_jax.recipes import pretrain as recipe
from cgdmer_jax.training import checkpoint, placement
from tests.data.small_stores import TASK, write_store
from tests.full_disk import files_of_at_most
from tests.outcome import Outcome, run
from tests.report.example import example_rows, write_example
from tests.sealed_files import rewrite
from tests.toy_runs import toy_config, toy_known

REPORTS = [f"report number {row}" for row in range(60)]
NANO = "--config=configs/cgdmer.py:nano"


def training(folder: Path, *words: str) -> Outcome:
    return run(pretrain.main, [NANO, f"--workdir={folder / 'run'}", *words])


def other_rate(folder: Path) -> Outcome:
    first = write_store(folder / "store100", REPORTS)
    second = write_store(folder / "store50", REPORTS, rate=50.0, n_samples=60)
    return training(folder, f"--config.data.stores=('{first}','{second}')")


def toy_run(folder: Path) -> Path:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert recipe.pretrain(toy_config(write_store(folder / "store", REPORTS)), folder / "run") == 0
    return folder / "run"


def disk_fills_up_in_checkpoint(folder: Path) -> Outcome:
    """From the second save on, to which 2,000 bytes are too few and to the metrics of six steps they are not."""
    config = toy_config(write_store(folder / "store", REPORTS))
    save, n_saves = checkpoint.ocp.save_async, itertools.count(1)
    with toy_known(), contextlib.ExitStack() as end:

        def filling(*words):
            if next(n_saves) == 2:
                end.enter_context(files_of_at_most(2000))
            return save(*words)

        with mock.patch.object(checkpoint.ocp, "save_async", filling):
            return run(lambda words: recipe.pretrain(config, folder / "run"), [])


def store_of_another_rate(folder: Path) -> Outcome:
    other = write_store(folder / "store50", REPORTS, rate=50.0, n_samples=60)
    with toy_known():
        words = [f"--run={toy_run(folder)}", f"--store={other}", "--split=validation"]
        return run(evaluate.main, words)


def half_deleted(folder: Path, name: str) -> Outcome:
    with toy_known():
        gone = toy_run(folder) / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        return run(export_model.main, [f"--run={folder / 'run'}", f"--out={folder / 'model'}"])


def pruned_checkpoint(folder: Path) -> Outcome:
    """The run went on and kept the last two of its steps."""
    with toy_known():
        words = [f"--run={toy_run(folder)}", f"--out={folder / 'model'}", "--checkpoint=2"]
        return run(export_model.main, words)


def run_without_config(folder: Path) -> Outcome:
    with toy_known():
        (toy_run(folder) / "config.json").unlink()
        same = toy_config(str(folder / "store"))
        return run(lambda words: recipe.pretrain(same, folder / "run"), [])


def changed_run(folder: Path) -> Outcome:
    with toy_known():
        rewrite(toy_run(folder) / "config.json", seed=7)
        same = toy_config(str(folder / "store"))
        return run(lambda words: recipe.pretrain(same, folder / "run"), [])


def other_values(folder: Path, **groups: dict) -> Outcome:
    """A run whose config.json has other values, and the hash of them."""
    with toy_known():
        file = toy_run(folder) / "config.json"
        config = json.loads(file.read_text())
        rewrite(file, **{name: config[name] | values for name, values in groups.items()})
        words = [f"--run={folder / 'run'}", f"--out={folder / 'model'}"]
        return run(export_model.main, words)


def larger_than_the_memory(folder: Path) -> Outcome:
    store = write_store(folder / "store", REPORTS)
    words = [f"--config.data.stores={store}", "--config.data.batch_size=4", "--config.data.min_patients=1"]
    with mock.patch.object(placement, "memory_of_machine", lambda: 16 * 10**9):  # whatever this machine has
        return training(folder, *words, "--config.method.ecg.width=65536", "--config.method.ecg.depth=1000")


def flipped_bit_in_tokenizer(folder: Path) -> Outcome:
    with toy_known():
        tokenizer = toy_run(folder) / "tokenizer/tokenizer.json"
        content = tokenizer.read_text()
        tokenizer.write_text(content.replace('"r"', '"s"', 1))
        return run(export_model.main, [f"--run={folder / 'run'}", f"--out={folder / 'model'}"])


def flipped_bit_in_contract(folder: Path) -> Outcome:
    with toy_known():
        contract = toy_run(folder) / "input.json"
        contract.write_text(contract.read_text().replace('"rate": 100.0', '"rate": 140.0'))
        return run(export_model.main, [f"--run={folder / 'run'}", f"--out={folder / 'model'}"])


def wrong_weights(folder: Path) -> Outcome:
    store = write_store(folder / "store", REPORTS)
    return training(folder, f"--config.data.stores={store}", f"--init_from={folder / 'nowhere'}")


def scored(folder: Path, name: str, content: str) -> Outcome:
    """An evaluation of a run in which that file was replaced."""
    with toy_known():
        file = toy_run(folder) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        words = [f"--run={folder / 'run'}", f"--store={folder / 'store'}", "--split=validation"]
        return run(evaluate.main, words, resumes=True)


def finetuning(folder: Path, store: str, task: str = TASK, *more: str) -> Outcome:
    """Fine-tuning of a toy run on that store."""
    with toy_known():
        words = [f"--run={toy_run(folder)}", f"--store={store}", f"--task={task}", "--split=test"]
        return run(finetune.main, [*words, f"--workdir={folder / 'tuned'}", *more], resumes=True)


def task_of_no_store(folder: Path) -> Outcome:
    return finetuning(folder, write_store(folder / "labelled", REPORTS), "finding")


def store_without_labels(folder: Path) -> Outcome:
    return finetuning(folder, write_store(folder / "bare", REPORTS, codes=()))


def labels_of_another_rate(folder: Path) -> Outcome:
    return finetuning(folder, write_store(folder / "store50", REPORTS, rate=50.0, n_samples=60))


def nothing_to_learn_from(folder: Path) -> Outcome:
    return finetuning(folder, write_store(folder / "late", REPORTS, folds=[9 + row % 2 for row in range(len(REPORTS))]))


def tuned_with(*more: str) -> Callable[[Path], Outcome]:
    return lambda folder: finetuning(folder, write_store(folder / "labelled", REPORTS), TASK, *more)


def case_of_nobody(folder: Path) -> Outcome:
    with toy_known():
        words = [f"--run={toy_run(folder)}", f"--store={folder / 'store'}", "--split=validation", "--case=nobody"]
        return run(evaluate.main, words, resumes=True)


def store_without_the_split(folder: Path) -> Outcome:
    other = write_store(folder / "other", REPORTS, folds=[1] * len(REPORTS))
    with toy_known():
        return run(evaluate.main, [f"--run={toy_run(folder)}", f"--store={other}", "--split=validation"])


def changed_report(folder: Path) -> Outcome:
    evaluation = write_example(folder / "run", example_rows())
    content = (evaluation / "report.json").read_text()
    assert "63 years" in content
    (evaluation / "report.json").write_text(content.replace("63 years", "36 years"))
    return run(report.main, [f"--evaluation={evaluation}"])


def report_beside_other_results(folder: Path) -> Outcome:
    evaluation = write_example(folder / "run", example_rows())
    other = write_example(folder / "other", example_rows()[:-1])
    (other / "report.json").replace(evaluation / "report.json")
    return run(report.main, [f"--evaluation={evaluation}"])
