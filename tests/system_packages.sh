#!/usr/bin/env bash
# Installs what the tests need of the system: a Kerberos KDC and headers, Node.js, a browser. Debian's packages, as root.
set -euo pipefail
python=${1:?"usage: tests/system_packages.sh PYTHON"}

missing=()
command_or() { PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null || missing+=("$2"); }
file_or() { [ -e "$1" ] || missing+=("$2"); }

"$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
file_or "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" python3-dev
command_or gcc gcc
file_or /usr/include/stdlib.h libc6-dev
file_or /usr/include/gssapi/gssapi.h libkrb5-dev
command_or krb5kdc krb5-kdc
command_or kadmin.local krb5-admin-server
command_or kinit krb5-user
command_or curl curl
command_or faketime faketime
command_or npm npm
command_or chromium chromium

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "Missing on this system: install what Debian calls ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends "${missing[@]}"
