SELECT *
FROM scrutin.{table:Identifier}
LIMIT 0
