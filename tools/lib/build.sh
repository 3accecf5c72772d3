# shellcheck shell=bash
# build PRESET TARGET...: configures once, then builds; progress on the terminal.
# Fast when there is nothing to do: ninja looks at the files itself, and cmake
# runs again only if a CMake file or the set of source files has changed.
build() {
  local preset=$1
  shift
  if [ ! -f "$ROOT/build/$preset/build.ninja" ]; then
    say "configuring build/$preset"
    (cd "$ROOT" && cmake --preset "$preset" >&2)
  fi
  ninja -C "$ROOT/build/$preset" "$@" >&2
}
