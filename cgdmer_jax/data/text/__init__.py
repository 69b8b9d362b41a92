"""Reports as text: cleaning, tokenizer, languages, prompts.

Words only; vectors of texts are made by methods and text encoders.
"""
