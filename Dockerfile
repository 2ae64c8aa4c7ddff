# daybook alone: it speaks to the Postgres and the NATS that its settings name.
FROM rust:1-trixie AS built
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin daybook

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/daybook --create-home --shell /usr/sbin/nologin daybook
COPY --from=built /source/target/release/daybook /usr/local/bin/daybook
USER 10001:10001
WORKDIR /var/lib/daybook
ENV DAYBOOK_DATA=/var/lib/daybook DAYBOOK_LISTEN=0.0.0.0:8080
VOLUME /var/lib/daybook
EXPOSE 8080
# Ready or not is for balancers; a container that answers need not be started again.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD curl --fail --silent --show-error http://127.0.0.1:8080/healthz
STOPSIGNAL SIGTERM
ENTRYPOINT ["daybook"]
CMD ["serve"]
