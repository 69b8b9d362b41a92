"""`python -m experiments.predict`: cgdmer_jax/commands/predict.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("predict")
