"""`python -m experiments.pretrain`: cgdmer_jax/commands/pretrain.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("pretrain")
