"""`python -m edge`: the program `scrutin`."""

from edge.cli import main

main()
