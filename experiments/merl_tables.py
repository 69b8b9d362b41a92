"""`python -m experiments.merl_tables`: cgdmer_jax/commands/merl_tables.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("merl_tables")
