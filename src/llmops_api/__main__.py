"""`python -m llmops_api`."""

from llmops_api.cli import main

if __name__ == "__main__":
    main()
