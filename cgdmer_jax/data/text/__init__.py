"""Reports as text: cleaning, tokenizer, languages, prompts."""
