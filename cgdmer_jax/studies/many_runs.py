"""Runs of a study one after another: those that are finished are left alone, and none that fails stops the others."""

from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax import early_stop, path_arguments
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluation_folders import check_writable
from cgdmer_jax.studies.finished_runs import differs, json_path, lacks
from cgdmer_jax.studies.grid import Planned
from cgdmer_jax.studies.one_run import run_one
from cgdmer_jax.studies.study import Study


def open_runs(planned: Sequence[Planned], study: Study, corpus: Corpus, out: Path) -> list[Planned]:
    """Those still to be done; says why, or where the JSON of the others is."""
    return [one for one in planned if _is_open(one, study, corpus, out)]


def prepare(workdir: Path, out: Path) -> None:
    """Checks the folders before the first run, and lets a signal end the study between two runs."""
    check_writable(out)
    path_arguments.output_folder(workdir)
    early_stop.from_now_on("stopped between two runs; the same command continues with those not finished")


def run_all(to_run: Sequence[Planned], study: Study, corpus: Corpus, workdir: Path, out: Path) -> list[str] | None:
    """Names of the runs that failed, none of which keeps another from its turn; None where a signal stopped one."""
    failed = []
    for one in to_run:
        try:
            code = run_one(one, study, corpus, workdir, out)
        except CgdmerError as error:
            print(f"{one.row} seed {one.seed}: {error}")
            code = 1
        if code == early_stop.PREEMPTED:
            return None
        if code != 0:
            failed.append(f"{one.row} seed {one.seed}")
    return failed


def finished_files(planned: Sequence[Planned], study: Study, corpus: Corpus, out: Path) -> list[Path]:
    """The JSON of each finished run."""
    paths = {json_path(one, study, out): one for one in planned}
    of_these = [path for path, one in paths.items() if not differs(one, path, corpus.fingerprint)]
    return [path for path in of_these if not lacks(study, path)]


def _is_open(one: Planned, study: Study, corpus: Corpus, out: Path) -> bool:
    path = json_path(one, study, out)
    if differing := differs(one, path, corpus.fingerprint):
        if path.exists():
            print(f"{one.row} seed {one.seed}: {path} is of another run ({'; '.join(differing)}), so it runs again")
        return True
    if lacking := lacks(study, path):
        print(f"{one.row} seed {one.seed}: {path} is of a run that was {', '.join(lacking)}; that is done now")
        return True
    print(f"{one.row} seed {one.seed}: done ({path})")
    return False
