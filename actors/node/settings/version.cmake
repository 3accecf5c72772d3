# cmake -DSOURCE=… -DVERSION=… -DOUT=… -P version.cmake
execute_process(COMMAND git rev-parse --short=10 HEAD
  WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE commit ERROR_QUIET
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT commit)
  set(commit "no commit")
endif()
file(WRITE "${OUT}"
  "#define MUSTER_VERSION \"${VERSION}\"\n#define MUSTER_COMMIT \"${commit}\"\n")
