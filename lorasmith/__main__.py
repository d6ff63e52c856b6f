"""`python -m lorasmith`: the command line."""

from lorasmith.cli import main

if __name__ == "__main__":
    main()
