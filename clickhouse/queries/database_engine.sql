SELECT engine
FROM system.databases
WHERE name = 'scrutin'
