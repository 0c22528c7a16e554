"""``python -m pyexpr``: the command line, as torchrun starts it."""

from pyexpr.cli.script import main

if __name__ == "__main__":
    main()
