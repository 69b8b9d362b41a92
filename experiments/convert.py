"""`python -m experiments.convert`: cgdmer_jax/commands/convert.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("convert")
