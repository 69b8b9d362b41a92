"""`python -m experiments.evaluate`: cgdmer_jax/commands/evaluate.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("evaluate")
