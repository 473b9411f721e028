"""``python -m germane``: the command line, for what starts modules, such as ``torchrun -m germane train …``."""

from .cli import main

if __name__ == "__main__":
    main()
