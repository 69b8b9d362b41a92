"""Import path of `mean_of_tokens` in version 0.1, which docs/text_encoders.md showed; it goes with version 0.2."""

import warnings

from cgdmer_jax.models.text.states import TextStates, mean_of_tokens, tied_logits

__all__ = ["TextStates", "mean_of_tokens", "tied_logits"]

# Python shows a FutureWarning to every user, a DeprecationWarning to testers alone.
warnings.warn(
    "cgdmer_jax.models.text_states is now cgdmer_jax.models.text.states; change the import, this path goes with 0.2",
    FutureWarning,
    stacklevel=2,
)
