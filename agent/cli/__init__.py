"""The command line: the options, the commands, and everything that depends on argparse."""
