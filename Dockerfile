# The operator's image: one static binary and nothing else.
#
#   docker build -t singletrack .
#
# `make image` builds the last stage without a network, from a binary that cargo has built beside it.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
ENV RUSTFLAGS="-C target-feature=+crt-static"
# The list of what it is built from goes into the binary: `cargo audit bin` and Trivy read it.
RUN cargo install --locked cargo-auditable@0.7.7 \
    && target="$(rustc -vV | sed -n 's/^host: //p')" \
    && cargo auditable build --release --locked --bin singletrack --target "$target" \
    && mkdir /image && cp "target/$target/release/singletrack" /image/

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="singletrack" \
    org.opencontainers.image.description="Copies GitHub issues and automation data into a database, one run at a time" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
COPY --from=build /image/singletrack /singletrack
# So that `kubectl exec POD -- singletrack …` works too.
ENV PATH=/
USER 65532:65532
ENTRYPOINT ["/singletrack"]
CMD ["controller"]
