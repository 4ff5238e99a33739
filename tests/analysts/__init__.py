"""What analysts are given: views, queries, roles, a page about them, and how fast it all is."""
