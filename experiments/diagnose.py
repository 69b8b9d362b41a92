"""`python -m experiments.diagnose`: cgdmer_jax/commands/diagnose.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("diagnose")
