"""rediagnose.toml: what is known about each target beforehand, and where tickets and notifications go."""
