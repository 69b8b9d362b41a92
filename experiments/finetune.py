"""`python -m experiments.finetune`: cgdmer_jax/commands/finetune.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("finetune")
