# The image of the command, from the root of a checkout:
#
#   docker build --build-arg VERSION=v0.1.0 --tag xdsready:0.1.0 .
#
# A test keeps the Go version that of go.work.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY . .
ARG VERSION
ARG TARGETOS
ARG TARGETARCH
# Static, so that it runs without a libc; the paths of this stage are left out.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOCACHE=/cache GOFLAGS=-buildvcs=false \
    go build -trimpath -ldflags "-s -w -X main.release=$VERSION" -o /out/xdsready ./cmd/xdsready

# No shell, no package manager, user 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/xdsready /xdsready
USER 65532:65532
ENTRYPOINT ["/xdsready"]
