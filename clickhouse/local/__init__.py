"""The real ClickHouse engine on one machine: chdb behind ClickHouse's HTTP interface.

For the demo and the tests, so that they exercise the production client path. Deployments run a
ClickHouse server. Differences from one, all deliberate: answers are always whole before they are
sent (as with `wait_end_of_query=1`), a session keeps nothing between requests (statements that
would need it are refused), and there is one user, who may do everything with tables and nothing
with files or other servers, but for `BACKUP` to the disk `backups`. A request may ask for a role,
by `role` as on a server or by coming as the user of that name, and has its rights alone; that is
for trying roles, and keeps nobody from coming without one. Tables live in databases that somebody
made: `default` takes none.
"""
