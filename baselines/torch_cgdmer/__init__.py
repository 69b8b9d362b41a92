"""CG-DMER in PyTorch, to compare with; importing it where PyTorch is not installed says how to install it."""

from importlib.util import find_spec

from cgdmer_jax.errors import CgdmerError

if find_spec("torch") is None:
    raise CgdmerError("this command needs PyTorch, which is not installed; pip install 'cgdmer_jax[torch]'")
