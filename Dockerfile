# syntax=docker/dockerfile:1
# The program in an image of its own: built with the console inside, and run without a shell, without root and on a read-only root.

FROM node:20-bookworm-slim AS console
WORKDIR /console
COPY console/package.json console/package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY console ./
RUN npm run build

FROM rust:1.95-bookworm AS program
WORKDIR /source
COPY . .
COPY --from=console /console/dist console/dist
RUN cargo build --release --locked --package alert-connectors \
    && strip --strip-all target/release/alert-connectors \
    && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Alert Connectors" \
      org.opencontainers.image.description="Delivers a data platform's alerts to Slack and Microsoft Teams" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=program /source/target/release/alert-connectors /usr/bin/alert-connectors
# The database and the keys, where SQLite is used. Everything else may be read-only.
COPY --from=program --chown=65532:65532 /data /data
WORKDIR /data
VOLUME /data
ENV ALERT_CONNECTORS_LISTEN=0.0.0.0:8080 \
    ALERT_CONNECTORS_DATABASE_URL=sqlite:///data/alert-connectors.db
EXPOSE 8080
# nonroot, by number: Kubernetes knows from it that it is not root.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/bin/alert-connectors", "health"]
ENTRYPOINT ["/usr/bin/alert-connectors"]
CMD ["serve"]
