#!/usr/bin/env bash
# Installs what a build of Cordon needs and is missing, and says what it does.
#   tools/setup.sh [build|guests|check]...
# build: the compiler, CMake and libraries. guests: also the WebAssembly targets. check: also clang and its tools.
# Running it again changes nothing. It writes build/env.sh, which puts the Rust toolchain that it chose on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

RUST_MIN_MINOR=95   # Rust 1.95; bridge/Cargo.toml says the same as rust-version
BUILD_PACKAGES=(g++ make cmake ninja-build ccache pkg-config python3 dpkg-dev file
  libssl-dev libseccomp-dev nlohmann-json3-dev libyaml-dev libsqlite3-dev libre2-dev libcli11-dev libprotozero-dev
  libtomlplusplus-dev libgtest-dev prometheus python3-pip bubblewrap libfaketime)
CHECK_PACKAGES=(clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev)
DEBIAN_RUST_PACKAGES=(rustc-web cargo-web)
WASM_TARGETS=(wasm32-wasip1 wasm32-wasip2 wasm32-unknown-unknown)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# apt_install PACKAGE...: installs those that are missing, never removes one.
apt_updated=no
apt_install() {
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || fail "no apt-get here; install these by other means: ${missing[*]}"
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
      root=(sudo)
    else
      fail "packages are missing, and neither root nor sudo is at hand; as root: apt-get install ${missing[*]}"
    fi
  fi
  if [ $apt_updated = no ]; then
    say "reading the package lists (apt-get update)"
    "${root[@]}" apt-get update -q || say "apt-get update failed; going on with the lists that are here"
    apt_updated=yes
  fi
  say "installing: ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends --no-remove "${missing[@]}" ||
    fail "apt-get could not install: ${missing[*]} (its messages are above)"
}

# The minor version of the Rust 1.x that the command given runs, or 0.
rust_minor() {
  local version
  version=$("$@" --version 2>/dev/null | sed -n 's/^[a-z]* 1\.\([0-9][0-9]*\)\..*/\1/p') || true
  printf '%s' "${version:-0}"
}

# Sets RUST_PATH (a folder for the PATH, or empty), RUST_TOOLCHAIN (of rustup, or empty) and RUST_FROM.
RUST_PATH='' RUST_TOOLCHAIN='' RUST_FROM=''
find_rust() {
  local rustup
  rustup=$(command -v rustup || true)
  if [ -z "$rustup" ] && [ -x "$HOME/.cargo/bin/rustup" ]; then rustup=$HOME/.cargo/bin/rustup; fi
  if [ -n "$rustup" ]; then
    RUST_PATH=$(dirname "$rustup")
    if [ "$(rust_minor "$RUST_PATH/cargo")" -ge $RUST_MIN_MINOR ]; then RUST_FROM=rustup; return 0; fi
    local toolchain
    while read -r toolchain _; do
      case "$toolchain" in ''|nightly*|no) continue ;; esac
      if [ "$(rust_minor "$RUST_PATH/rustc" "+$toolchain")" -ge $RUST_MIN_MINOR ]; then
        RUST_TOOLCHAIN=$toolchain RUST_FROM=rustup
        return 0
      fi
    done < <("$rustup" toolchain list 2>/dev/null)
    say "rustup has no Rust 1.$RUST_MIN_MINOR or later; asking it for stable (at most 10 minutes)"
    if timeout 600 "$rustup" toolchain install stable --profile minimal --no-self-update; then
      if [ "$(rust_minor "$RUST_PATH/rustc" +stable)" -ge $RUST_MIN_MINOR ]; then
        RUST_TOOLCHAIN=stable RUST_FROM=rustup
        return 0
      fi
    fi
    say "rustup could not; looking for Debian's Rust"
    RUST_PATH=''
  fi
  local folder
  for folder in $(tr ':' ' ' <<<"$PATH") /usr/bin; do
    if [ -x "$folder/cargo" ] && [ "$(rust_minor "$folder/cargo")" -ge $RUST_MIN_MINOR ] &&
       [ -x "$folder/rustc" ] && [ "$(rust_minor "$folder/rustc")" -ge $RUST_MIN_MINOR ]; then
      RUST_PATH=$folder RUST_FROM=system
      return 0
    fi
  done
  return 1
}

setup_rust() {
  find_rust && return 0
  if installed rustc && ! installed rustc-web; then
    fail "Debian's rustc is too old and in the way; as root: apt-get install ${DEBIAN_RUST_PACKAGES[*]}"
  fi
  apt_install "${DEBIAN_RUST_PACKAGES[@]}"
  find_rust || fail "no Rust 1.$RUST_MIN_MINOR or later; install it with rustup or as ${DEBIAN_RUST_PACKAGES[*]}"
}

setup_guests() {
  local have missing=() target try
  if [ "$RUST_FROM" != rustup ]; then
    local libdir
    for target in "${WASM_TARGETS[@]}"; do
      libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) || libdir=/nowhere
      compgen -G "$libdir/libstd-*" >/dev/null || missing+=("$target")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    fail "this Rust ($(command -v rustc)) cannot build guests (${missing[*]}); install rustup, then run this again"
  fi
  have=$(rustup target list --installed)
  for target in "${WASM_TARGETS[@]}"; do grep -qx "$target" <<<"$have" || missing+=("$target"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  for try in 1 2 3; do
    say "adding the Rust targets ${missing[*]} (try $try of 3, at most 2 minutes)"
    timeout 120 rustup target add "${missing[@]}" && return 0
  done
  fail "rustup could not add ${missing[*]}; try again: rustup target add ${missing[*]}"
}

write_env() {
  mkdir -p build
  {
    printf '# Written by tools/setup.sh; read by the Makefile.\n'
    [ -z "$RUST_PATH" ] || printf 'export PATH=%q:$PATH\n' "$RUST_PATH"
    [ -z "$RUST_TOOLCHAIN" ] || printf 'export RUSTUP_TOOLCHAIN=%q\n' "$RUST_TOOLCHAIN"
  } >build/env.sh.new
  mv build/env.sh.new build/env.sh
}

[ $# -gt 0 ] || set -- build
want=" $* "
for part in "$@"; do
  case "$part" in build|guests|check) ;; *) fail "unknown part '$part'; parts are: build guests check" ;; esac
done
packages=("${BUILD_PACKAGES[@]}")
case "$want" in *' check '*) packages+=("${CHECK_PACKAGES[@]}") ;; esac
apt_install "${packages[@]}"
setup_rust
write_env
. build/env.sh
case "$want" in *' guests '*|*' check '*) setup_guests ;; esac
say "ready: g++ $(g++ -dumpfullversion), cmake $(cmake --version | awk 'NR == 1 {print $3}'), $(rustc --version)"
