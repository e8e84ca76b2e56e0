# hookbridge's image: one executable on a base without a shell.
#
#   docker build --tag hookbridge .
#   scripts/image --help              # builds it, and proves that it works as Kubernetes runs it
#
# Plain Dockerfile: docker with or without BuildKit, podman and buildah build it. Nothing here is of one architecture: each
# machine builds its own (docs/image.md says how the two become one tag, and why nothing is cross-compiled).
#
# Both images are pinned by version. Pin them by digest in your own build (--build-arg BASE=...@sha256:...): a digest
# that is written here would keep you from the base's security updates until somebody changes it.
ARG BUILDER=docker.io/library/rust:1.95.0-trixie
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

FROM ${BUILDER} AS builder
# librdkafka, OpenSSL, curl, zlib and zstd are compiled here and linked statically. A builder that has cmake and perl needs no
# package mirror.
RUN command -v cmake >/dev/null && command -v perl >/dev/null \
    || { apt-get update && apt-get install -y --no-install-recommends cmake perl && rm -rf /var/lib/apt/lists/*; }
WORKDIR /build
# The dependencies, which take most of the time, in a layer that changes only with these two files: hookbridge itself is empty
# here. What is built of the emptiness is removed, or it would pass for the real thing (cargo compares times).
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && printf '//! Empty.\nfn main() {}\n' >src/main.rs \
    && printf '//! Empty.\n' >src/lib.rs \
    && cargo build --release --locked --bin hookbridge \
    && cargo clean --release --locked --package hookbridge \
    && rm -r src
COPY config/providers config/providers
COPY src src
RUN cargo build --release --locked --bin hookbridge \
    && install -D -m 0555 target/release/hookbridge /out/hookbridge \
    && /out/hookbridge --version

FROM ${BASE}
# A global ARG is known in FROM alone, until it is named again.
ARG BASE
# What is empty was not said: scripts/image says it all.
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="hookbridge" \
      org.opencontainers.image.description="Receives webhooks, verifies their signatures and publishes every event to Kafka, keyed by its message ID, with an idempotent producer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=builder /out/hookbridge /hookbridge
# Scanners read in the latter which crates the executable is made of, and look for advisories.
COPY LICENSE Cargo.lock /usr/share/doc/hookbridge/
# By number: Kubernetes can't tell that a name is not root's (runAsNonRoot). Any other user and group do as well.
USER 65532:65532
# Webhooks (server.listen), and health and metrics (admin.listen).
EXPOSE 8080 9090
# What makes it end in order, and what every runtime sends anyhow.
STOPSIGNAL SIGTERM
# No HEALTHCHECK: /livez and /readyz on the admin port are what a probe asks, and there is no shell to ask them with.
ENTRYPOINT ["/hookbridge"]
CMD ["serve", "--config", "/etc/hookbridge/hookbridge.yaml"]
