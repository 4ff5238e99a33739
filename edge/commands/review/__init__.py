"""`scrutin review`: the queue of duplicate and invalid attempts, for auditors."""

import cyclopts

from edge.commands.review.acting import claim, reopen, resolve
from edge.commands.review.exporting import export
from edge.commands.review.looking import list_cases, show

app = cyclopts.App(
    name="review", help="Work the queue of duplicate and invalid attempts, case by case."
)
app.command(list_cases, name="list")
app.command(show)
app.command(claim)
app.command(resolve)
app.command(reopen)
app.command(export)
