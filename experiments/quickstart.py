"""`python -m experiments.quickstart`: cgdmer_jax/commands/quickstart.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("quickstart")
