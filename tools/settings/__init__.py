"""rediagnose.toml: what is known of each target beforehand, and where tickets and notifications go."""
