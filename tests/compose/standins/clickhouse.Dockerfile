# The local engine behind TLS, where the image of ClickHouse has its server.
FROM python:3.13-slim-trixie
COPY site /opt/site
COPY clickhouse-server /usr/bin/clickhouse-server
COPY haproxy.cfg /etc/haproxy.cfg
ENV PYTHONPATH=/opt/site PYTHONDONTWRITEBYTECODE=1
