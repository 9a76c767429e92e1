#!/usr/bin/env bash
# The unit tests on every other Python that this machine has, each in an environment of its own.
# usage: other_pythons.sh UV VERSION... -- MEMBER...
set -euo pipefail

uv=$1
shift
versions=()
while [ "$1" != -- ]; do versions+=("$1"); shift; done
shift
editable=()
for member in "$@"; do editable+=(-e "$member"); done

# On PATH, or kept by pyenv, whose names on PATH only work for versions that were chosen.
find_python() {
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if "$candidate" -c '' 2>/dev/null; then command -v "$candidate"; return; fi
  done
}

for version in "${versions[@]}"; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then echo "== Python $version is not on this machine"; continue; fi
  echo "== Python $version"
  environment=.venv-$version
  if [ requirements/dev.txt -nt "$environment/.ready" ]; then
    "$uv" venv -q --clear -p "$python" "$environment"
    "$uv" pip sync -q -p "$environment" requirements/dev.txt
    "$uv" pip install -q -p "$environment" --no-deps "${editable[@]}"
    touch "$environment/.ready"
  fi
  # what Helm renders, and how releases are made, is the same whatever Python looks at it
  "$environment/bin/python" -m pytest -q -n "${TESTERS:-4}" --dist worksteal tests/unit \
    --ignore tests/unit/chart --ignore tests/unit/release
done
