"""A grid file as a list of whole configs; every mistake in it is reported before anything runs."""

from collections.abc import Set
from dataclasses import dataclass

from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax import provenance
from cgdmer_jax.config import load_config, shipped_file, shipped_folder, user_module
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.config_fields import check_fields

FIELDS = {"config", "overrides", "reference", "rows"}
ROW_FIELDS = {"overrides", "seeds"}
OWN_REFERENCE = "reference"  # a row may name what it is compared with in place of the grid's


@dataclass(frozen=True)
class Planned:
    """One training run of the grid."""

    row: str
    seed: int
    spec: str  # FILE:SIZE
    overrides: dict[str, object]  # the common ones and the row's own, by field
    config: ConfigDict
    sha256: str  # of the whole config

    def words(self) -> list[str]:
        """The config as arguments of experiments.pretrain."""
        return [f"--config={self.spec}", *words_of(self.overrides)]


def words_of(overrides: dict[str, object]) -> list[str]:
    return [f"--config.{field}={value}" for field, value in overrides.items()]


def load_grid(path: str) -> dict:
    """get_grid() of that file, its names checked."""
    file = shipped_file(path)
    if not file.is_file():
        known = ", ".join(sorted(f"ablations/{one.stem}" for one in shipped_folder().glob("ablations/[a-z]*.py")))
        raise CgdmerError(f"--grid={path}: there is no such file; give one, or a grid of the package: {known}")
    module = user_module(file, "grid")
    if not hasattr(module, "get_grid"):
        raise CgdmerError(f"--grid={path} has no function get_grid; look at {shipped_folder() / 'ablations/cgdmer.py'}")
    grid = module.get_grid()
    _check_fields(grid, FIELDS, path)
    if not isinstance(grid["rows"], dict) or not isinstance(grid["overrides"], dict):
        raise CgdmerError(
            f"{path}: rows and overrides must be dicts; look at the grid of the package, ablations/cgdmer"
        )
    for name, row in grid["rows"].items():
        _check_fields(row, ROW_FIELDS, f'{path}, row "{name}"', {OWN_REFERENCE})
    for reference in (grid["reference"], *own_references(grid).values()):
        if reference not in grid["rows"]:
            raise CgdmerError(f"{path}: reference is no row of it.{suggest(reference, grid['rows'])}")
    return grid


def own_references(grid: dict) -> dict[str, str]:
    """Reference of each row that has one of its own."""
    return {name: row[OWN_REFERENCE] for name, row in grid["rows"].items() if OWN_REFERENCE in row}


def plan(grid: dict, store: str) -> list[Planned]:
    """Every (row, seed) with its config; raises on an unknown field, and on a config that stands twice."""
    planned: list[Planned] = []
    for name, row in grid["rows"].items():
        for seed in row["seeds"]:
            overrides = {**grid["overrides"], **row["overrides"], "data.stores": store, "seed": seed}
            try:
                planned.append(planned_run(name, seed, grid["config"], overrides))
            except CgdmerError as error:
                raise CgdmerError(f'grid row "{name}": {error}') from error
            same = next(p for p in planned if p.sha256 == planned[-1].sha256)
            if same is not planned[-1]:
                raise CgdmerError(f'grid rows "{same.row}" and "{name}" are the same config; take one out')
    return planned


def planned_run(row: str, seed: int, spec: str, overrides: dict[str, object]) -> Planned:
    """That run with its config; raises on an unknown field or value."""
    config = check_fields(load_config(spec, words_of(overrides)))
    return Planned(row, seed, spec, overrides, config, provenance.config_sha256(config))


def check_makeable(planned: list[Planned], corpus: Corpus) -> None:
    """Makes each method, which holds no arrays; it refuses what it does not know."""
    made = _made_once(planned[0].config, corpus) if planned else ()
    for one in planned:
        try:
            build.make_method(one.config, *made)
        except CgdmerError as error:
            raise CgdmerError(f'grid row "{one.row}": {error}') from error


def choose(grid: dict, only: str) -> set[str]:
    """Names of --only, all when it is empty."""
    names = {name for name in only.split(",") if name}
    for name in names - grid["rows"].keys():
        raise CgdmerError(f'--only: the grid has no row "{name}".{suggest(name, grid["rows"])}')
    return names or set(grid["rows"])


def _made_once(config: ConfigDict, corpus: Corpus) -> tuple[InputContract, Tokenizer]:
    """Stand-ins for what a method is built from besides its config; it reads only their sizes."""
    tokenizer = build.make_tokenizer(config, corpus)
    return build.make_contract(corpus, tokenizer, build.scaling_of(config)), tokenizer


def _check_fields(found: object, wanted: set[str], where: str, optional: Set[str] = frozenset()) -> None:
    if not isinstance(found, dict):
        raise CgdmerError(f"{where} is a {type(found).__name__}, expected a dict with {', '.join(sorted(wanted))}")
    for name in sorted((found.keys() ^ wanted) - optional):
        problem = "has the unknown" if name in found else "lacks the"
        raise CgdmerError(f"{where} {problem} field {name}; it holds {', '.join(sorted(wanted))}")
