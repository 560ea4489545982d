"""What the commands print and take: one module for each noun of the command line. loyalty/cli.py puts them together.

parser.py says what can be typed, terminal.py how things are shown, failures.py how they fail. A command returns its
exit code: 0 done (also when there was nothing to do, and then it says so), 1 failed, 2 used wrongly.
"""
