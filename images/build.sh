#!/bin/sh
# Builds images with docker, podman or buildah, whichever is there.
# usage: build.sh REGISTRY VERSION [ARGUMENT...]     (at the root of the repository)
#
#   IMAGES   which ones: api auth controller server dask (all of them)
#   ENGINE   docker, podman or buildah (the first that is there)
#
# Arguments are the engine's own: --platform linux/amd64,linux/arm64 --push
set -eu
registry=$1
version=$2
shift 2

for engine in ${ENGINE:-docker podman buildah}; do
	command -v "$engine" >/dev/null && break
	engine=
done
[ -n "$engine" ] || { echo "None of docker, podman and buildah is here" >&2; exit 1; }
# Health checks are no part of OCI's format, which podman and buildah write unless told otherwise.
[ "$engine" = docker ] || set -- --format docker "$@"

revision=$(git rev-parse HEAD 2>/dev/null || echo)
for image in ${IMAGES:-api auth controller server dask}; do
	case $image in
	dask) name=dask-gateway ;;
	*) name=dask-gateway-$image ;;
	esac
	"$engine" build --file images/Dockerfile --target "$image" --tag "$registry/$name:$version" \
		--build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg SOURCE="${SOURCE:-}" "$@" .
done
