# shellcheck shell=bash
# Makes sure the machine has what the scripts use. Sourced, never run.
#
# The `want_*` functions only note what is missing; `install_wanted` then gets all of it with one
# call of apt-get, or names all of it at once to a user who may not install. Everything is printed
# to stderr, because a caller's stdout may be an answer (scripts/kafka-kit).

wanted=()         # Debian packages to install
wanted_because=() # what is missing, in the words of its user
wanted_checks=()  # the checks that must pass afterwards

fail() {
  printf '%s: error: %s\n' "${0##*/}" "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 1
}

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Rust is the one precondition: which toolchain to have, and where, is the developer's decision.
need_cargo() {
  # rustup's installer puts cargo here, but only a new login shell has it in PATH.
  local rustup_bin="${CARGO_HOME:-${HOME-}/.cargo}/bin"
  command -v cargo >/dev/null || PATH="$rustup_bin:$PATH"
  command -v cargo >/dev/null || fail "cargo is not installed" \
    "Rust is the one thing these scripts do not install: get it with rustup, then run this again."
}

# The checks try the tool instead of looking for its name: Debian's slim images have a `cc` without
# headers and a `perl` without the modules that OpenSSL's build uses.
has_c() { cc -E -x c - <<<'#include <stdio.h>' >/dev/null 2>&1; }
has_cxx() { c++ -E -x c++ - <<<'#include <vector>' >/dev/null 2>&1; }
has_make() { command -v make >/dev/null; }
has_cmake() { command -v cmake >/dev/null; }
has_perl() { perl -MFindBin -MIPC::Cmd -MFile::Compare -e 1 >/dev/null 2>&1; }
has_maven() { command -v mvn >/dev/null; }
has_javac() { has_java && javac -version >/dev/null 2>&1; }
has_network_tools() { command -v ip >/dev/null && command -v iptables >/dev/null; }
has_openssl() { command -v openssl >/dev/null; }
has_java() {
  # `openjdk version "17.0.15" ...`; Java 8 calls itself 1.8 and is rightly refused.
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || return 1
  [[ -n $version ]] && ((version >= 17))
}

has_go_of() { # has_go_of MINOR: is the installed Go at least 1.MINOR?
  # `go version go1.19.8 linux/amd64`. `local`: not one that Go would have to fetch first.
  local version
  version=$(GOTOOLCHAIN=local go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p') || return 1
  [[ -n $version ]] && ((version >= $1))
}
# examples/go says what is the least. What needs a newer one has it from scripts/go-kit.
has_go() { has_go_of 19; }
# Debian's python3 comes without what makes virtual environments.
has_python() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

want() { # want CHECK PACKAGE WORDS
  "$1" && return
  wanted_checks+=("$1")
  wanted_because+=("$3")
  [[ " ${wanted[*]-} " == *" $2 "* ]] || wanted+=("$2")
}

# librdkafka, OpenSSL, zlib, zstd and curl are compiled from source and linked statically.
want_build_tools() {
  want has_c build-essential "a C compiler with headers"
  want has_cxx build-essential "a C++ compiler with headers"
  want has_make build-essential "make"
  want has_cmake cmake "cmake"
  want has_perl perl "perl with its standard modules"
}

want_java() { want has_java default-jre-headless "Java 17 or later"; }
# What has the compiler has the rest too.
want_jdk() { want has_javac default-jdk-headless "a Java 17 compiler or later"; }
want_maven() { want has_maven maven "maven"; }
want_go() { want has_go golang-go "Go 1.19 or later"; }
want_python() { want has_python python3-venv "Python 3.10 or later with its venv"; }
# Certificates for a Kafka with TLS, and tokens.
# What a node of Kubernetes connects pods with.
want_network() {
  want has_network_tools iproute2 "the ip and iptables commands"
  want has_network_tools iptables "the ip and iptables commands"
}
want_openssl() { want has_openssl openssl "the openssl command"; }

install_wanted() {
  ((${#wanted[@]})) || return 0
  local missing as_root=() check
  printf -v missing '%s, ' "${wanted_because[@]}"
  missing="missing: ${missing%, }"

  command -v apt-get >/dev/null ||
    fail "$missing" "There is no apt-get here: install these yourself (Debian's names: ${wanted[*]})."
  if ((EUID != 0)); then
    # `-n`: a script must never stop to ask for a password.
    if ! sudo -n true 2>/dev/null; then
      fail "$missing" "Not root, so not installing. Type this, then run this again:" \
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${wanted[*]}"
    fi
    as_root=(sudo -n)
  fi

  note "$missing; installing ${wanted[*]}"
  # `env`, because sudo drops the environment. The retries are for a mirror's bad moment.
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3)
  "${as_root[@]}" update >&2 </dev/null || fail "apt-get update failed"
  "${as_root[@]}" install -y --no-install-recommends "${wanted[@]}" >&2 </dev/null ||
    fail "apt-get could not install ${wanted[*]}"

  hash -r
  for check in "${wanted_checks[@]}"; do
    "$check" || fail "still $missing" "Installing ${wanted[*]} did not satisfy the check $check."
  done
  wanted=() wanted_because=() wanted_checks=()
}

# Fetches a Debian package's file into the current directory, without installing it: for programs whose package
# would start a service. Needs no root where apt's lists are there.
debian_download() { # debian_download PACKAGE
  command -v apt-get >/dev/null || {
    note "there is no apt-get here: install $1 yourself"
    return 1
  }
  apt-get download "$1" 2>/dev/null && return
  # Fresh images have no lists.
  if ((EUID == 0)); then
    apt-get -o Acquire::Retries=3 update
  else
    sudo -n apt-get -o Acquire::Retries=3 update
  fi
  apt-get -o Acquire::Retries=3 download "$1"
}
