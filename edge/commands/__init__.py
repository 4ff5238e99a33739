"""The commands of `scrutin`, one a module, imported when they are called."""
