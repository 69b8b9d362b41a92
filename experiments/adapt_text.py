"""`python -m experiments.adapt_text`: cgdmer_jax/commands/adapt_text.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("adapt_text")
