"""`python -m experiments.encode_texts`: cgdmer_jax/commands/encode_texts.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("encode_texts")
