"""`python -m experiments.export_model`: cgdmer_jax/commands/export_model.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("export_model")
