"""`python -m experiments.differences`: cgdmer_jax/commands/differences.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("differences")
