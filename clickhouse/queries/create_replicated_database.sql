-- Statements on tables of this database are carried out by every replica, also by one that comes
-- later: it finds them in Keeper.
CREATE DATABASE IF NOT EXISTS scrutin ON CLUSTER '{cluster}'
ENGINE = Replicated('/clickhouse/databases/scrutin', '{shard}', '{replica}')
