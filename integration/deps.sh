#!/usr/bin/env bash
# What Syncline needs from the machine besides Go, and how to get it.
#
#   deps.sh [NAME...]       installs what is missing of postgres, postgis, java, maven, python, cxx (default: all of these) and spin, as root or by sudo;
#                           where it may not, prints the line that would, and ends with 1
#   deps.sh has NAME        ends with 0 if it is there
#
# It looks for what works and not for packages, so that servers and compilers from elsewhere count.
set -euo pipefail

has_postgres() {
  local dir
  for dir in "${SYNCLINE_POSTGRES_BIN:-}" "$(dirname "$(command -v initdb || echo /)")" /usr/lib/postgresql/*/bin \
    /usr/pgsql-*/bin /usr/libexec/postgresql* /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin /usr/local/pgsql/bin; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then return 0; fi
  done
  return 1
}

# The extension is in the folder of the server that is found, or of one of the distribution's.
has_postgis() {
  local share
  for share in "$("${SYNCLINE_POSTGRES_BIN:+$SYNCLINE_POSTGRES_BIN/}pg_config" --sharedir 2>/dev/null || echo /)" \
    /usr/share/postgresql/* /usr/pgsql-*/share /opt/homebrew/share/postgresql@* /usr/local/share/postgresql*; do
    if [ -e "$share/extension/postgis.control" ]; then return 0; fi
  done
  return 1
}

has_java() {
  local major
  major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1) || return 1
  [ "${major:-0}" -ge 17 ]
}

has_maven() { command -v mvn >/dev/null; }

has_spin() { command -v spin >/dev/null; }

# Tests make an environment with venv, and its pip is the one that ensurepip brings: Debian has that in another package.
has_python() {
  python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 &&
    python3 -m ensurepip --version >/dev/null 2>&1
}

# A C++ program that links is what the DuckDB driver needs; a compiler alone may lack the library.
has_cxx() {
  local out status=0
  command -v "${CC:-gcc}" >/dev/null || return 1
  out=$(mktemp)
  echo 'int main() { return 0; }' | "${CXX:-g++}" -x c++ -o "$out" - >/dev/null 2>&1 || status=1
  rm -f "$out"
  return $status
}

# package NAME : what the distribution calls it; several words are several packages.
package() {
  case $1 in
  postgres) echo postgresql ;;
  postgis) echo postgresql-postgis ;;
  # The Java that the engines are tested with, or what the distribution has in its place.
  java) if apt-cache show openjdk-17-jre-headless >/dev/null 2>&1; then echo openjdk-17-jre-headless; else echo default-jre-headless; fi ;;
  maven) echo maven ;;
  python) echo python3 python3-venv python3-pip ;;
  spin) echo spin ;;
  cxx) echo g++ ;;
  esac
}

# as_root COMMAND... : runs it as root.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi }

# may_install : ends with 0 if as_root can work. sudo may ask for a password only when someone is there to answer.
may_install() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }; }

install() {
  local packages=() name
  if ! command -v apt-get >/dev/null; then
    echo "deps: install with the package manager of this machine: $(describe "$@")" >&2
    exit 1
  fi
  for name; do packages+=("$(package "$name")"); done
  local line="apt-get install -y --no-install-recommends ${packages[*]}"
  if ! may_install; then
    echo "deps: run: sudo apt-get update && sudo $line" >&2
    exit 1
  fi
  # The lists of packages may be absent (a fresh container) or name versions that are gone. One source of several that
  # does not answer is no reason to stop.
  as_root apt-get update -q >&2 || true
  # RUNLEVEL=1: the package's own PostgreSQL service is not started; Syncline runs servers of its own.
  # shellcheck disable=SC2086
  as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $line -q >&2 </dev/null || {
    echo "deps: this did not succeed: $line" >&2
    exit 1
  }
}

describe() {
  local name text=()
  for name; do
    case $name in
    postgres) text+=("a PostgreSQL server") ;;
    postgis) text+=("PostGIS for it") ;;
    java) text+=("Java 17 or newer") ;;
    maven) text+=("Apache Maven") ;;
    python) text+=("Python 3.11 or newer with venv and pip") ;;
    spin) text+=("the model checker Spin") ;;
    cxx) text+=("a C++ compiler with its library") ;;
    esac
  done
  local IFS=,
  echo "${text[*]}"
}

check_name() {
  case $1 in
  postgres | postgis | java | maven | python | cxx | spin) ;;
  *) echo "deps: unknown name '$1'; one of postgres, postgis, java, maven, python, cxx, spin" >&2; exit 2 ;;
  esac
}

if [ "${1:-}" = has ]; then
  check_name "${2:-}"
  "has_$2"
  exit
fi

[ $# -gt 0 ] || set -- postgres postgis java maven python cxx
missing=()
for name; do
  check_name "$name"
  "has_$name" || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0
install "${missing[@]}"
for name in "${missing[@]}"; do
  "has_$name" || { echo "deps: the packages are installed, but there is still no $(describe "$name")" >&2; exit 1; }
done
