"""`python -m cgdmer_jax NAME`: the same as `cgdmer NAME`."""

from cgdmer_jax.cli import main

if __name__ == "__main__":
    main()
