# One image per connector:
#
#   docker build --target postgres-source -t syncline/postgres-source .
#
# The connector's configuration is mounted at /etc/syncline/connector.yaml. Images run as user 65532, need no capability and
# write nowhere but /tmp (and where a DuckDB file is kept), so the root file system can be read-only with a tmpfs at /tmp.

FROM golang:1.26-bookworm AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .

FROM source AS build
ENV CGO_ENABLED=0
RUN go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/postgres-source ./cmd/postgres-sink ./cmd/ready \
 && mkdir /out/tmp

# DuckDB is C++: this one program is linked against the C library and the C++ library of its base image.
FROM source AS build-duckdb
ENV CGO_ENABLED=1
RUN go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/duckdb-sink \
 && mkdir /out/data

# What every static image holds: the authorities for TLS, a folder for temporary files, and the health check.
FROM scratch AS static
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build /out/ready /ready
USER 65532:65532
EXPOSE 9477

FROM static AS postgres-source
COPY --from=build /out/postgres-source /postgres-source
ENTRYPOINT ["/postgres-source"]

FROM static AS postgres-sink
COPY --from=build /out/postgres-sink /postgres-sink
ENTRYPOINT ["/postgres-sink"]

FROM gcr.io/distroless/cc-debian12:nonroot AS duckdb-sink
COPY --from=build /out/ready /ready
COPY --from=build-duckdb /out/duckdb-sink /duckdb-sink
# The volume for the DuckDB file takes its owner from this folder.
COPY --from=build-duckdb --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
EXPOSE 9477
ENTRYPOINT ["/duckdb-sink"]
