"""`python -m experiments.publish`: cgdmer_jax/commands/publish.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("publish")
