"""The command line: options, the commands, and what ends with argparse."""
