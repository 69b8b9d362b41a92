"""`python -m experiments.extract_entities`: cgdmer_jax/commands/extract_entities.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("extract_entities")
