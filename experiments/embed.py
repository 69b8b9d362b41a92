"""`python -m experiments.embed`: cgdmer_jax/commands/embed.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("embed")
