"""The probe with a tenth and a hundredth of the labelled patients, beside the floors on the same draws."""

from collections.abc import Callable

import numpy as np

from cgdmer_jax.evaluation.baselines import CONVOLUTIONS, convolutions
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan, Task
from cgdmer_jax.metrics.probe import fit_probe_path
from cgdmer_jax.metrics.ridge import fit_ridge_path
from cgdmer_jax.metrics.stratify import stratified_draw

FRACTIONS = (0.1, 0.01)
N_SEEDS = 5
VAL_LABELS = ("full", "cut")


def add_label_fractions(state: Evaluation, plan: Plan) -> None:
    """The headline feature, random convolutions + ridge, and random weights (the first seed).

    A class without a positive in a draw scores a constant there, so chance: all shares then have the same classes.
    """
    convolutions(state, plan.kernels)
    names = (f"{state.base.method}/{plan.features[0]}", f"random_weights/{plan.features[0]}", CONVOLUTIONS)
    for task in state.tasks:
        for fraction in FRACTIONS:
            draws = _draws(state, task, fraction)
            if not all(len(records) and cut.any() for records, cut in draws):
                why = f"of {len(task.fit)} records to fit on and {len(task.choose)} to choose on a draw holds none"
                state.leave_out(f"{fraction:.0%} of the labels of task {task.name}", why)
                continue
            for name in names:
                if name in state.features:
                    fit = fit_ridge_path if name == CONVOLUTIONS else fit_probe_path
                    _add(state, task, name, fraction, _scores(task, state.features[name][0], fit, draws))


def _draws(state: Evaluation, task: Task, fraction: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """(positions to fit on, which of `task.choose` the cut validation keeps) of each seed."""
    patients = state.corpus.patient_id[state.lines]

    def drawn(records: np.ndarray, seed: int) -> np.ndarray:
        return stratified_draw(task.labels[records], patients[records], fraction, seed)

    return [(task.fit[drawn(task.fit, seed)], drawn(task.choose, seed)) for seed in range(N_SEEDS)]


def _scores(task: Task, x: np.ndarray, fit: Callable, draws: list) -> dict[str, list[np.ndarray]]:
    """Scores of each seed, the strength chosen on the whole validation part and on its cut."""
    of_choose, of_score = x[task.choose], x[task.score]
    labels = task.labels[task.choose]
    made: dict[str, list[np.ndarray]] = {kind: [] for kind in VAL_LABELS}
    for records, cut in draws:
        path = fit(x[records], task.labels[records])
        judged, scored = path.scores(of_choose), path.scores(of_score)
        made["full"].append(scored[path.best(judged, labels)])
        made["cut"].append(scored[path.best(judged[:, cut], labels[cut])])
    return made


def _add(state: Evaluation, task: Task, name: str, fraction: float, made: dict[str, list[np.ndarray]]) -> None:
    method, feature = name.split("/")
    setting = {"method": method, "feature": feature, "feature_dim": state.features[name][0].shape[1]}
    for kind, scores in made.items():
        full = setting | {"label_fraction": fraction, "val_labels": kind}
        state.add(task, scores, setting=full, probabilities=False, macro_only=True)
