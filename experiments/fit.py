"""`python -m experiments.fit`: cgdmer_jax/commands/fit.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("fit")
