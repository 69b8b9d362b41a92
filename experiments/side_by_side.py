"""`python -m experiments.side_by_side`: cgdmer_jax/commands/side_by_side.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("side_by_side")
