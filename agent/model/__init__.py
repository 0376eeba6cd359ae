"""One endpoint of a language model: requests, responses, failures and what they cost."""
