"""`python -m experiments.ablate`: cgdmer_jax/commands/ablate.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("ablate")
