SELECT *
FROM scrutin.{view:Identifier}
ORDER BY ALL
