#!/usr/bin/env bash
# The end-to-end tests on kind, with the images and the chart of this checkout. Needs docker, kind, kubectl and helm.
# usage: on_kind.sh NODE_IMAGE [CHART [ARGUMENT...]]     (at the root of the repository, after `make setup`)
#
#   NODE_IMAGE  kindest/node with a tag, and a digest as the release notes of kind give it
#   CHART       is installed first and then upgraded to ours, with a cluster at work: an archive or an OCI address
#   ARGUMENT    helm's own for that chart: --version 2026.11.0
set -euo pipefail
node=$1
shift
first=("$@")

python=.venv/bin/python
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
export KUBECONFIG=$PWD/.local/kind-kubeconfig
export GATEWAY_ADDRESS=http://127.0.0.1:8000 GATEWAY_PASSWORD=correct-horse GATEWAY_NAMESPACE=dask-gateway
export GATEWAY_UNSTARTABLE='{"kind": "unstartable"}' GATEWAY_CLUSTERS_PER_USER=2
if [ -e .venv-released/.ready ]; then export GATEWAY_RELEASED_PYTHON=$PWD/.venv-released/bin/python; fi

values=(--values tests/e2e/kind.yaml --set-string gateway.auth.simple.password="$GATEWAY_PASSWORD")
ours=(--values tests/e2e/values.yaml --set-string gateway.backend.image.tag="$version")
release() { helm upgrade dask-gateway "$@" --install --namespace dask-gateway --create-namespace --wait --timeout 10m; }

diagnose() {
	kubectl get pods,daskclusters,events --all-namespaces || true
	for service in api auth controller traefik; do
		kubectl logs --namespace dask-gateway "deployment/$service-dask-gateway" --tail 100 || true
	done
}
cleanup() {
	status=$?
	[ $status = 0 ] || diagnose
	kind delete cluster --name dask-gateway
	exit $status
}
mkdir -p .local
trap cleanup EXIT
kind create cluster --name dask-gateway --image "$node" --wait 5m --config - <<-CONFIG
	kind: Cluster
	apiVersion: kind.x-k8s.io/v1alpha4
	nodes:
	  - role: control-plane
	    extraPortMappings: [{listenAddress: 127.0.0.1, hostPort: 8000, containerPort: 30080}]
CONFIG

IMAGES="server dask" ENGINE=docker images/build.sh ghcr.io/dask "$version"
kind load docker-image --name dask-gateway \
	"ghcr.io/dask/dask-gateway-server:$version" "ghcr.io/dask/dask-gateway:$version"

if [ ${#first[@]} -gt 0 ]; then
	release "${first[@]}" "${values[@]}"
	export -f release
	$python -m tests.e2e.survives -- bash -c 'release "$@"' release charts/dask-gateway "${values[@]}" "${ours[@]}"
else
	release charts/dask-gateway "${values[@]}" "${ours[@]}"
fi
$python -m pytest tests/e2e
