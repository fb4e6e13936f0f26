-- What the source's role needs. Run it in the source database, as a superuser:
--
--   psql -v password="$SYNCLINE_PASSWORD" -f examples/privileges.sql ...
CREATE ROLE syncline LOGIN REPLICATION PASSWORD :'password';
GRANT USAGE ON SCHEMA public TO syncline;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO syncline;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO syncline;

-- A role that owns neither the tables nor the database cannot make the publication, so it is made here. Its name is
-- syncline_ and the connector's name. PostgreSQL 14 has no TABLES IN SCHEMA: name the tables.
CREATE PUBLICATION syncline_shop FOR TABLES IN SCHEMA public;
