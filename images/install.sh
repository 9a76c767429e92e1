#!/bin/sh
# Makes the virtual environment of one image: dependencies as pinned, with their hashes, and our members from source.
# usage: install.sh IMAGE DIRECTORY MEMBER...     (at the root of the repository; PYTHON: which one, if not python3)
set -eu
image=$1
directory=$2
shift 2
python=${PYTHON:-python3}

# Tools and wheels are of the build alone: the environment gets neither compilers nor, but by its pins, pip.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/tools"
pip="$work/tools/bin/python -m pip --disable-pip-version-check"
$pip install -q --require-hashes --no-deps -r requirements/images/build.txt
$pip wheel -q --require-hashes --no-deps --no-build-isolation -w "$work/wheels" -r "requirements/images/$image.txt"
$pip wheel -q --no-deps --no-build-isolation -w "$work/wheels" $(printf './%s ' "$@")

"$python" -m venv --without-pip "$directory"
$pip --python "$directory/bin/python" install -q --no-index --no-deps "$work"/wheels/*.whl
$pip --python "$directory/bin/python" check
