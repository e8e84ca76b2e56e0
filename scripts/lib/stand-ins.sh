# shellcheck shell=bash
# Stand-ins for the Dockerfile's two images, where no image registry can be reached: the same Debian release, from Debian's
# packages. Sourced by scripts/image, after tools.sh.
#
# A tree is made below $store (the caller's), atomically: one that exists is complete. It is made anew when this file changes,
# and after a week, because packages get security updates.

# Where this machine has its own packages from: the first of what apt is told. Not `head`: apt must not write to nobody.
# shellcheck disable=SC2016 # apt fills it in
debian=${HOOKBRIDGE_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sed '/security/d; s:/*$::')}
debian=${debian%%$'\n'*}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# What gcr.io/distroless/cc-debian13 is made of as far as hookbridge meets it: the C library with its name service and
# resolver, the unwinder, certificates, time zones, and the names of ports and protocols.
base_packages=(base-files ca-certificates libc6 libgcc-s1 netbase tzdata)
builder_packages=build-essential,ca-certificates,cmake,perl

has_keyring() { [[ -r $keyring ]]; }
want_keyring() { want has_keyring debian-archive-keyring "Debian's keys"; }
has_debootstrap() { command -v debootstrap >/dev/null; }
want_debootstrap() { want has_debootstrap debootstrap "debootstrap"; }

# kept_tree NAME MAKER RELEASE [INPUT]: INPUT is what else a tree depends on.
kept_tree() {
  local recipe key tree draft
  recipe=$(cat "${BASH_SOURCE[0]}"; printf '%s\n' "$debian" "${4-}")
  key=$(cksum <<<"$recipe")
  # shellcheck disable=SC2154 # the caller says where
  tree=$store/$1-$3-${key%% *}
  if [[ -d $tree ]] && [[ -n $(find "$tree.made" -mtime -7 2>/dev/null) ]]; then
    printf '%s\n' "$tree"
    return
  fi
  note "making a stand-in for the $1 image, of Debian $3, in $tree"
  draft=$(mktemp -d -p "$store")
  if ! "$2" "$3" "$draft/tree" >"$draft/log" 2>&1; then
    cat "$draft/log" >&2
    rm -rf "$draft"
    fail "the stand-in for the $1 image could not be made" "Its words are above. Is $debian reachable?"
  fi
  # Older ones too.
  rm -rf "$store/$1-$3"-*
  mv -T "$draft/tree" "$tree"
  touch "$tree.made"
  rm -rf "$draft"
  printf '%s\n' "$tree"
}

# The packages are unpacked, not installed: their scripts would need the shell that must not be there.
make_base() { # make_base RELEASE TREE
  local state=${2%/*}/apt package name
  mkdir -p "$2" "$state/lists/partial" "$state/cache/archives/partial" "$state/debs" || return
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$debian" "$1" "$keyring" "$debian" "$1-updates" >"$state/sources"
  local apt=(apt-get -o Acquire::Retries=3 -o "Dir::Etc::SourceList=$state/sources" -o Dir::Etc::SourceParts=/nonexistent
    -o "Dir::State::Lists=$state/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$state/cache"
    -o APT::Sandbox::User=root)
  "${apt[@]}" update || return
  (cd "$state/debs" && "${apt[@]}" download "${base_packages[@]}") || return
  # Merged /usr, as Debian has it. base-files of the next release brings these links itself.
  for name in bin lib lib64 sbin; do
    mkdir -p "$2/usr/$name" && ln -s "usr/$name" "$2/$name" || return
  done
  for package in "$state"/debs/*.deb; do
    # Through tar: `dpkg-deb -x` would put a directory in the place of a link.
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$2" || return
  done
  # What Debian's scripts would have made of the certificates.
  mkdir -p "$2/etc/ssl/certs"
  cat "$2"/usr/share/ca-certificates/mozilla/*.crt >"$2/etc/ssl/certs/ca-certificates.crt" || return
  # Programs have no business in a base without a shell; of libc6 itself there is ld.so, which is in lib.
  find "$2/usr/bin" "$2/usr/sbin" -mindepth 1 -delete || return
  rm -rf "$2"/usr/share/{doc,man,lintian,bug,locale,info} "$2/usr/share/ca-certificates"
  printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
    nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin >"$2/etc/passwd"
  printf '%s\n' root:x:0: nobody:x:65534: nonroot:x:65532: >"$2/etc/group"
  printf '%s\n' 'hosts: files dns' >"$2/etc/nsswitch.conf"
  mkdir -p "$2/tmp" "$2/home/nonroot" && chmod 1777 "$2/tmp" && chown 65532:65532 "$2/home/nonroot"
}

# Debian with the compilers, this machine's Rust, and this machine's certificates: whoever stands between it and the
# registry of crates stands between the builder and it, too.
make_builder() { # make_builder RELEASE TREE
  local rust name
  rust=$(rustc --print sysroot) || return
  debootstrap --variant=minbase "--include=$builder_packages" --keyring "$keyring" "$1" "$2" "$debian" || return
  rm -rf "$2"/var/cache/apt/archives/*.deb "$2"/usr/share/{doc,man,locale}
  mkdir -p "$2/usr/local/rust/lib"
  # Its compiler and libraries, not its documentation.
  cp -a "$rust/bin" "$2/usr/local/rust/" && cp -a "$rust/lib/." "$2/usr/local/rust/lib/" || return
  for name in cargo rustc; do
    ln -s "../rust/bin/$name" "$2/usr/local/bin/$name" || return
  done
  if [[ -r /etc/ssl/certs/ca-certificates.crt ]]; then
    cat /etc/ssl/certs/ca-certificates.crt >"$2/etc/ssl/certs/ca-certificates.crt"
  fi
}
