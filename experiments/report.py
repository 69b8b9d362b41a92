"""`python -m experiments.report`: cgdmer_jax/commands/report.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("report")
