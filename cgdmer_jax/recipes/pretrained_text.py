"""A run's pretrained text encoder: read from its folder once, when the run is new."""

import jax
from ml_collections import ConfigDict

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import TextTower, load_text_encoder
from cgdmer_jax.interop.text_architecture import architecture_of
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.state import TrainState


def with_architecture(config: ConfigDict, run: RunFolder) -> tuple[ConfigDict, TextTower | None]:
    """The config with the architecture of its `method.text_tower`; the encoder too where the run has no weights yet.

    Of a run that goes on the folder is asked no more: the architecture stands in the run's own config.
    """
    name = tower_name(config)
    if not name:
        return config, None
    if config.data.tokenizer:
        raise CgdmerError(
            "config.data.tokenizer is given beside config.method.text_tower, which has a tokenizer of its own; "
            "leave the first empty"
        )
    if run.exists() and any(run.checkpoints.glob("*/manifest.json")):
        known = run.config().get("method")
        kept = known.get("text_architecture") if isinstance(known, dict) and known.get("text_tower") == name else None
        tower, architecture = None, kept if isinstance(kept, dict) else {}  # of another encoder: refused by the run
    else:
        tower = load_text_encoder(name)
        architecture = architecture_of(tower)
    config = config.copy_and_resolve_references()
    with config.unlocked():
        config.method.text_architecture = architecture
    return config, tower


def tower_name(config: ConfigDict) -> str:
    """Folder or hf://owner/name@revision; "" where the method has no such field or it is empty."""
    return config.method.text_tower if "text_tower" in config.method else ""


def with_tower(state: TrainState, tower: TextTower) -> TrainState:
    """The state of step 0 with the pretrained weights in their places; refuses a tower that is not quite that one."""
    params = state.variables.params
    own = params[text_tower.NAME]
    given = text_tower.split_blocks(tower.params, text_tower.n_frozen(own))
    shapes = [jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree) for tree in (own, given)]
    if shapes[0] != shapes[1]:
        raise CgdmerError(
            "the pretrained text encoder does not fit the architecture in the run's config.json; take another --workdir"
        )
    placed = jax.tree.map(lambda new, old: jax.device_put(new, old.sharding), given, own)
    variables = state.variables._replace(params=params | {text_tower.NAME: placed})
    return state._replace(variables=variables)
