"""`python -m hashgen`, for a machine that has this package and nothing else."""

from hashgen.cli import app

if __name__ == "__main__":
    app()
