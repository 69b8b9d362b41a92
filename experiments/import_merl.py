"""`python -m experiments.import_merl`: cgdmer_jax/commands/import_merl.py."""

from cgdmer_jax.cli import run_command

if __name__ == "__main__":
    run_command("import_merl")
