# The same binary as `make build` makes on Debian 12, on a base with nothing but the libraries it needs.
#
#   docker build -t keyturn .
#
# The steps of the build stage are the README's; scripts/deps.sh is the only list of packages.

FROM debian:12-slim AS build
WORKDIR /src
# Apart from the sources, so that an edit does not install the packages anew.
COPY scripts/deps.sh scripts/deps.sh
RUN scripts/deps.sh && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make build \
 && strip -o /keyturn build/release/bin/keyturn
# The packages that own the shared libraries of the binary: the runtime stage needs these and no others.
RUN ldd /keyturn | awk '$3 ~ /^\// {print $3}' | xargs -n 1 readlink -f | grep -o '[^/]*/[^/]*$' \
  | while read -r library; do dpkg-query -S "*/$library"; done | cut -d: -f1 | sort -u > /packages \
 && test -s /packages

FROM debian:12-slim
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    apt-get update \
 && xargs -a /packages apt-get install -y --no-install-recommends ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 keyturn \
 && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin keyturn
COPY --from=build /keyturn /usr/local/bin/keyturn
RUN ln -s keyturn /usr/local/bin/kubectl-keyturn \
 && keyturn version
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["keyturn"]
CMD ["controller"]
