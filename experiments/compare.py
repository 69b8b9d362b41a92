"""`python -m experiments.compare`: cgdmer_jax/commands/compare.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("compare")
