"""The architecture that Scrutin replaces, built as documented, and the contest between the two."""
