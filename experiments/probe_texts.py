"""`python -m experiments.probe_texts`: cgdmer_jax/commands/probe_texts.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("probe_texts")
