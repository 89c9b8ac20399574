"""`python -m kewang`: the `kewang` command of this very Python."""

from kewang.cli import main

if __name__ == "__main__":
    main()
