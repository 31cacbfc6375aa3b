"""`python -m retort_client`: the command line."""

from retort_client.cli import main

if __name__ == "__main__":
    main()
