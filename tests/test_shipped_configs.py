"""Configs that come with the package are found by name, from any folder."""

import pytest

from cgdmer_jax.config import flat, load_config, shipped, shipped_file, shipped_folder
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.studies.grid import load_grid
from configs import cgdmer, quickstart
from tests.small_runs import ROOT


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("spec", ["cgdmer:nano", "configs/cgdmer.py:nano"])
def test_a_config_of_the_package_is_found_by_its_name_in_any_folder(spec):
    config = load_config(spec, ["--config.optimizer.steps=7"])
    expected = flat(cgdmer.get_config("nano").to_dict()) | {"optimizer.steps": 7}
    assert flat(config.to_dict()) == expected


def test_a_config_without_a_size_and_its_other_names_are_there_too():
    assert load_config("quickstart", []).to_dict() == quickstart.get_config().to_dict()
    assert shipped("quickstart").RECORDS == quickstart.RECORDS


def test_the_configs_beside_the_package_are_those_inside_it():
    names = {file.relative_to(ROOT / "configs").as_posix() for file in (ROOT / "configs").rglob("*.py")}
    inside = ROOT / "cgdmer_jax/configs"
    assert inside.is_dir(), "cgdmer_jax/configs leads to ../configs; on a system without links a wheel has no configs"
    assert {f"{name}" for name in names if (inside / name).is_file()} == names
    assert shipped_folder().resolve() == (ROOT / "configs").resolve()


@pytest.mark.parametrize("name", ["cgdmer", "ablations/cgdmer", "configs/merl.py", "configs/ablations/cgdmer.py"])
def test_the_file_of_a_shipped_config(name):
    tail = f"{name.removeprefix('configs/').removesuffix('.py')}.py"
    assert shipped_file(name).resolve() == (ROOT / "configs" / tail).resolve()


@pytest.mark.parametrize("name", ["cgdmer.py", "../configs/cgdmer.py", "own/cgdmer.py", "nothing", "configs/own.py"])
def test_any_other_path_is_the_users(name):
    assert str(shipped_file(name)) == name


def test_a_file_of_the_user_goes_before_the_packages_under_the_path_of_the_checkout(empty_folder):
    (empty_folder / "configs").mkdir()
    (empty_folder / "configs/cgdmer.py").write_text("")
    assert str(shipped_file("configs/cgdmer.py")) == "configs/cgdmer.py"


@pytest.mark.parametrize("spec", ["cgdmr:nano", "configs/none.py"])
def test_a_wrong_name_lists_those_of_the_package(spec):
    with pytest.raises(
        CgdmerError, match=r"there is no file .*: cgdmer, cmelt, finetune, kmerl, masked_text, merl, quickstart$"
    ) as caught:
        load_config(spec, [])
    assert f"--config={spec}" in str(caught.value)


def test_a_wrong_size_lists_those_of_the_config():
    with pytest.raises(CgdmerError, match="quickstart, nano, tiny, small, base"):
        load_config("cgdmer:huge", [])


def test_a_grid_of_the_package_is_found_by_its_name_and_a_wrong_one_lists_them():
    assert load_grid("ablations/cgdmer")["reference"] == "both"
    with pytest.raises(CgdmerError, match=r"no such file; .*: ablations/cgdmer$"):
        load_grid("ablations/cgdmr")
