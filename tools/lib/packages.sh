# shellcheck shell=bash
# ensure_packages FILE...: installs with apt what the lists name and is missing.
# A line of a list: package, the version everything was built and tested with,
# maybe a command; the package is left out where that command exists already.

_installed_packages() {
  dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' 2>/dev/null |
    awk '$2 == "installed" {print $1, $3}'
}

# Debian's own part of a version (epoch, revision) may move with its updates.
_upstream() {
  local version="${1#*:}"
  printf '%s' "${version%-*}"
}

ensure_packages() {
  local -A have=()
  local -a missing=()
  local package version command
  while read -r package version; do have[$package]=$version; done \
    < <(_installed_packages)
  while read -r package version command; do
    case "$package" in '' | '#'*) continue ;; esac
    if [ -n "${have[$package]:-}" ]; then
      [ "$(_upstream "${have[$package]}")" = "$(_upstream "$version")" ] ||
        say "note: $package is ${have[$package]}; tested with $version"
    elif [ -z "$command" ] || ! command -v "$command" >/dev/null; then
      missing+=("$package")
    fi
  done < <(cat "$@")
  [ ${#missing[@]} = 0 ] && return 0
  say "installing with apt: ${missing[*]}"
  as_root apt-get update -q >&2
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}
