"""`python -m nas`: the command line, where its script isn't on the path."""

from nas.cli import main

if __name__ == "__main__":
    main()
