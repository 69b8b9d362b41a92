"""`python -m experiments.delineate`: cgdmer_jax/commands/delineate.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("delineate")
